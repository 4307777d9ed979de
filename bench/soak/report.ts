/** What a soak shows: whether anything grows that should not. */
import type { Panel } from '../chart.ts'
import type { Samples } from '../measure.ts'
import { allReached, figure, toRow, toTable, type Row } from '../table.ts'

type Latency = { p50: number; p99: number }
/** One look at the hub; what is counted is since the look before. Sizes in MB, times in ms. */
export type SoakSample = {
  minute: number
  messages: number
  /** The share of one processor. */
  cpu: number
  send: Latency
  take: Latency
  rss: number
  descriptors: number
  wal: number
  database: number
}

/** `descriptors`: those of the hub before and after the load, without the connections of the callers. */
export type Soak = { samples: SoakSample[]; descriptors: { before: number; after: number } }

/** Whether memory, latency, log and descriptors stay as they are. */
export const isSteady = (soak: Soak): boolean => allReached(toRows(soak))

/**
 * The last quarter of the time against the second: in the first, the hub compiles what is hot and fills its caches. The
 * log may be twice as long as the 1,000 pages (4.1 MB) after which SQLite writes it back.
 */
export function toRows({ samples, descriptors }: Soak): Row[] {
  const quarter = Math.max(1, Math.floor(samples.length / 4))
  const [early, late] = [samples.slice(quarter, 2 * quarter), samples.slice(-quarter)]
  const compare = (
    measure: string,
    pick: (sample: SoakSample) => number,
    { most, unit }: { most: number; unit: string },
  ) => toRow({ measure, subject: late.map(pick), baseline: early.map(pick), target: { most }, unit })
  const wal: Samples = [Math.max(...samples.map((sample) => sample.wal))]
  return [
    compare('RSS', (sample) => sample.rss, { most: 1.1, unit: 'MB' }),
    compare('send, p50', (sample) => sample.send.p50, { most: 1.2, unit: 'ms' }),
    compare('send, p99', (sample) => sample.send.p99, { most: 1.5, unit: 'ms' }),
    compare('consume and acknowledge, p50', (sample) => sample.take.p50, { most: 1.2, unit: 'ms' }),
    compare('consume and acknowledge, p99', (sample) => sample.take.p99, { most: 1.5, unit: 'ms' }),
    compare('CPU', (sample) => sample.cpu * 100, { most: 1.2, unit: '%' }),
    toRow({
      measure: 'file descriptors after the load, against before it',
      subject: [descriptors.after],
      baseline: [descriptors.before],
      target: { most: 1 },
      unit: '',
    }),
    toRow({
      measure: "the log's largest size, against 1,000 pages",
      subject: wal,
      baseline: [4.096],
      target: { most: 2 },
      unit: 'MB',
    }),
  ]
}

/** The report in Markdown: the verdict, then the course in at most twenty lines. */
export function toReport(soak: Soak, { minutes, rate }: { minutes: number; rate: number }): string {
  const { samples } = soak
  const total = samples.reduce((sum, sample) => sum + sample.messages, 0)
  const lead = `${total.toLocaleString('en')} messages in ${figure(minutes)} minutes (${rate} a second were due): sent, taken, acknowledged, confirmed. The first table is the last quarter of the time against the second, unless it says otherwise.`
  const every = Math.ceil(samples.length / 20)
  const shown = samples.filter((_, number) => (number + 1) % every === 0 || number === 0)
  const head =
    '| minute | messages | send p50 / p99, ms | take p50 / p99, ms | CPU, % | RSS, MB | WAL, MB | database, MB | descriptors |'
  const lines = shown.map((sample) => {
    const { send, take } = sample
    const cells = [
      figure(sample.minute),
      String(sample.messages),
      `${figure(send.p50)} / ${figure(send.p99)}`,
      `${figure(take.p50)} / ${figure(take.p99)}`,
      ...[sample.cpu * 100, sample.rss, sample.wal, sample.database].map(figure),
      String(sample.descriptors),
    ]
    return `| ${cells.join(' | ')} |`
  })
  return `${lead}\n\n${toTable(toRows(soak))}\n\n${[head, `|${'---|'.repeat(9)}`, ...lines].join('\n')}`
}

/** The course as curves. */
export function toPanels(samples: SoakSample[]): Panel[] {
  const toSeries = (name: string, pick: (sample: SoakSample) => number) => ({
    name,
    points: samples.map((sample): [number, number] => [sample.minute, pick(sample)]),
  })
  return [
    { title: 'MB', series: [toSeries('RSS', (one) => one.rss), toSeries('WAL', (one) => one.wal)] },
    {
      title: 'ms',
      series: [
        toSeries('send p50', (one) => one.send.p50),
        toSeries('send p99', (one) => one.send.p99),
        toSeries('take p50', (one) => one.take.p50),
        toSeries('take p99', (one) => one.take.p99),
      ],
    },
    { title: 'file descriptors', series: [toSeries('descriptors', (one) => one.descriptors)] },
  ]
}
