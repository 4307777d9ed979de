import { median, quantile, type Samples } from './measure.ts'

/** One measure: a subject against its baseline, or a bare figure against a bound. */
export type Row = {
  measure: string
  subject: string
  baseline: string
  /** Not a number where a side could not be measured: its target is missed then. */
  ratio: number
  target: Target | undefined
}
export type Target = { most: number } | { least: number }

/** A row from samples: the ratio of medians, each told with its quartiles. */
export function toRow(options: {
  measure: string
  subject: Samples
  baseline: Samples
  target?: Target
  unit?: string
}): Row {
  const { measure, subject, baseline, target, unit = 'ms' } = options
  return {
    measure,
    subject: `${spread(subject)} ${unit}`.trimEnd(),
    baseline: `${spread(baseline)} ${unit}`.trimEnd(),
    ratio: median(subject) / median(baseline),
    target,
  }
}

/** A row that tells how many of something a second are done, from samples of the ms that `count` of them took. */
export function toRateRow(options: {
  measure: string
  subject: Samples
  baseline: Samples
  count: number
  target?: Target
}): Row {
  const { count, subject, baseline, ...rest } = options
  const toRates = (samples: Samples) => samples.map((ms) => (count * 1_000) / ms)
  return toRow({ ...rest, subject: toRates(subject), baseline: toRates(baseline), unit: '/s' })
}

/** A row of a figure that has a bound of its own: its ratio is the share of the bound that it takes. */
export function toBoundRow(options: {
  measure: string
  samples: Samples
  most: number
  unit: string
  /** Which of the samples counts; the middle one unless it is said. */
  share?: number
}): Row {
  const { measure, samples, most, unit, share = 0.5 } = options
  const value = quantile(samples, share)
  const middle = share === 0.5 ? '' : `; p50 ${figure(median(samples))}`
  const ofWhich =
    samples.length > 1 ? ` (${figure(Math.min(...samples))}–${figure(Math.max(...samples))}${middle})` : ''
  return {
    measure,
    subject: `${figure(value)}${ofWhich} ${unit}`.trimEnd(),
    baseline: `≤ ${most} ${unit}`.trimEnd(),
    ratio: value / most,
    target: { most: 1 },
  }
}

/** A row of a figure alone, which others are to be seen beside. */
export const toFigureRow = (measure: string, value: number, unit: string): Row => ({
  measure,
  subject: `${figure(value)} ${unit}`.trimEnd(),
  baseline: '',
  ratio: Number.NaN,
  target: undefined,
})

/** The row of a measure whose baseline cannot be had here: it says why, and its target counts as missed. */
export function toMissingRow(options: { measure: string; reason: string; target: Target }): Row {
  const { measure, reason, target } = options
  return { measure, subject: '', baseline: `not measured: ${reason}`, ratio: Number.NaN, target }
}

/** The rows as a Markdown table; a missed target is said so. */
export function toTable(rows: Row[]): string {
  const head = '| measure | subject | baseline | ratio | target | |\n|---|---|---|---|---|---|'
  return [head, ...rows.map(toLine)].join('\n')
}

/** Whether every row with a target reaches it. */
export const allReached = (rows: Row[]): boolean => rows.every(isReached)

function toLine(row: Row): string {
  const cells = [
    row.measure,
    row.subject,
    row.baseline,
    Number.isNaN(row.ratio) ? '' : row.ratio.toPrecision(3),
    describe(row.target),
    row.target ? (isReached(row) ? 'ok' : 'missed') : '',
  ]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function isReached({ ratio, target }: Row): boolean {
  if (!target) return true
  return 'most' in target ? ratio <= target.most : ratio >= target.least
}

function describe(target: Target | undefined): string {
  if (!target) return ''
  return 'most' in target ? `≤ ${target.most}` : `≥ ${target.least}`
}

const spread = (samples: Samples) =>
  `${figure(median(samples))} (${figure(quantile(samples, 0.25))}–${figure(quantile(samples, 0.75))})`

/** Three digits, and no more of a larger number than its whole part. */
export const figure = (number: number): string => (number >= 100 ? number.toFixed(0) : number.toPrecision(3))
