import { median, quantile, type Samples } from './measure.ts'

/** One measure: a subject against its baseline, or a bare figure against a bound. */
export type Row = {
  measure: string
  subject: string
  baseline: string
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
    subject: `${spread(subject)} ${unit}`,
    baseline: `${spread(baseline)} ${unit}`,
    ratio: median(subject) / median(baseline),
    target,
  }
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
    row.ratio.toPrecision(3),
    describe(row.target),
    row.target ? (isReached(row) ? 'ok' : 'missed') : '',
  ]
  return `| ${cells.join(' | ')} |`
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

const figure = (number: number) => (number >= 100 ? number.toFixed(0) : number.toPrecision(3))
