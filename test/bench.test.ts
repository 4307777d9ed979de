import { describe, expect, test } from 'vitest'
import { toSvg, toTicks } from '../bench/chart.ts'
import { toMedians } from '../bench/growth/curve.ts'
import { inParallel } from '../bench/load.ts'
import { interleave, median, quantile } from '../bench/measure.ts'
import { withSection } from '../bench/results.ts'
import { isSteady, toReport, toRows, type Soak, type SoakSample } from '../bench/soak/report.ts'
import { allReached, toBoundRow, toMissingRow, toRateRow, toRow, toTable } from '../bench/table.ts'
import { memoryLine } from '../bench/usage.ts'

describe('statistics', () => {
  test('the median of an even number of samples lies between the middle two', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5)
    expect(median([7])).toBe(7)
  })

  test('a quantile is interpolated, and its ends are the smallest and the largest sample', () => {
    const samples = [10, 20, 30, 40, 50]
    expect([0, 0.25, 0.95, 1].map((share) => quantile(samples, share))).toEqual([10, 20, 48, 50])
  })

  test('subjects are measured in turn, and their first round is not counted', async () => {
    const order: string[] = []
    const subject = (name: string) => () => order.push(name)
    const samples = await interleave({ one: subject('one'), other: subject('other') }, 2)
    expect(order).toEqual(['one', 'other', 'one', 'other', 'one', 'other'])
    expect(samples).toEqual({ one: [3, 5], other: [4, 6] })
  })

  test('the median of rounds is taken for each figure by itself', () => {
    const rounds = [
      { p50: 3, p99: 10 },
      { p50: 1, p99: 30 },
      { p50: 2, p99: 20 },
    ]
    expect(toMedians(rounds)).toEqual({ p50: 2, p99: 20 })
  })

  test('clients share the work, and each does one thing at a time', async () => {
    const done: number[] = []
    const busy = new Set<number>()
    await inParallel(3, 10, async (client, number) => {
      expect(busy.has(client)).toBe(false)
      busy.add(client)
      await Promise.resolve()
      busy.delete(client)
      done.push(number)
    })
    expect(done.toSorted((one, other) => one - other)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })
})

describe('rows', () => {
  const samples = { subject: [20, 40, 30], baseline: [10, 20, 15] }

  test('a ratio is that of the medians, told with their quartiles', () => {
    const row = toRow({ measure: 'a thing', ...samples, target: { most: 2 } })
    expect(row).toMatchObject({ subject: '30.0 (25.0–35.0) ms', baseline: '15.0 (12.5–17.5) ms', ratio: 2 })
    expect(toTable([row]).split('\n').at(-1)).toBe(
      '| a thing | 30.0 (25.0–35.0) ms | 15.0 (12.5–17.5) ms | 2.00 | ≤ 2 | ok |',
    )
  })

  test('of a rate, more is better: twice the time is half the ratio', () => {
    const row = toRateRow({ measure: 'sends', ...samples, count: 30, target: { least: 0.6 } })
    expect(row).toMatchObject({ subject: '1000 (875–1250) /s', ratio: 0.5 })
    expect(allReached([row])).toBe(false)
  })

  test('a bounded figure takes the share that counts, and misses above its bound', () => {
    const row = toBoundRow({ measure: 'a wake', samples: [5, 10, 30], share: 1, most: 20, unit: 'ms' })
    expect(row).toMatchObject({ subject: '30.0 (5.00–30.0; p50 10.0) ms', baseline: '≤ 20 ms', ratio: 1.5 })
    expect(allReached([row])).toBe(false)
    expect(allReached([toBoundRow({ measure: 'a wake', samples: [20], most: 20, unit: 'ms' })])).toBe(true)
  })

  test('a baseline that cannot be had is said so, and counts as missed', () => {
    const row = toMissingRow({ measure: 'mail', reason: 'no such package', target: { least: 1 } })
    expect(allReached([row])).toBe(false)
    expect(toTable([row])).toContain('| mail |  | not measured: no such package |  | ≥ 1 | missed |')
  })

  test('a row without a target is reached whatever it says, and one missed row is enough to fail', () => {
    const free = toRow({ measure: 'for information', ...samples })
    const missed = toRow({ measure: 'too slow', ...samples, target: { most: 1.9 } })
    expect(allReached([free])).toBe(true)
    expect(allReached([free, missed])).toBe(false)
    expect(toTable([missed])).toContain('| missed |')
  })

  test('what a measure is called cannot break the table', () => {
    expect(toTable([toRow({ measure: 'a | b', ...samples })])).toContain('| a \\| b |')
  })
})

test('memory is read from what the kernel tells of a process', () => {
  const status = 'Name:\tnode\nVmHWM:\t   50000 kB\nVmRSS:\t   25000 kB\n'
  expect(memoryLine(status, 'VmHWM')).toBe(51.2)
  expect(memoryLine(status, 'VmRSS')).toBe(25.6)
  expect(() => memoryLine('Name:\tnode\n', 'VmHWM')).toThrow('VmHWM')
})

describe('charts', () => {
  test('an axis ends at a round number that holds every value', () => {
    expect(toTicks(10)).toEqual([0, 2, 4, 6, 8, 10])
    expect(toTicks(11)).toEqual([0, 5, 10, 15])
    expect(toTicks(0.3)).toEqual([0, 0.1, 0.2, 0.3])
    expect(toTicks(0)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1])
  })

  test('equal factors are equally far from each other on a logarithmic axis', () => {
    const points: [number, number][] = [
      [1, 0],
      [10, 5],
      [100, 10],
    ]
    const chart = { title: 'Growth', xLabel: 'clients', isLogarithmic: true }
    const svg = toSvg({ ...chart, panels: [{ title: 'ms', series: [{ name: 'p50', points }] }] })
    const [, line] = /<polyline points="([^"]*)"/.exec(svg)!
    const [one, ten, hundred] = line!.split(' ').map((point) => point.split(',').map(Number))
    expect(ten![0]! - one![0]!).toBeCloseTo(hundred![0]! - ten![0]!, 0)
    expect(one![1]! - ten![1]!).toBeCloseTo(ten![1]! - hundred![1]!, 0)
    expect(one![1]).toBeGreaterThan(hundred![1]!)
  })

  test('words are no markup', () => {
    const series = [{ name: 'a < b & c', points: [[1, 1]] as [number, number][] }]
    expect(toSvg({ title: 'T', xLabel: 'x', panels: [{ title: 'ms', series }] })).toContain(
      'a &lt; b &amp; c',
    )
  })
})

describe('a soak', () => {
  const sample = (minute: number, given: Partial<SoakSample> = {}): SoakSample => ({
    minute,
    messages: 200,
    cpu: 0.25,
    send: { p50: 2, p99: 8 },
    take: { p50: 3, p99: 9 },
    rss: 100,
    descriptors: 80,
    wal: 4.2,
    database: minute,
    ...given,
  })
  const soak = (toSample: (minute: number) => SoakSample, after = 60): Soak => ({
    samples: Array.from({ length: 60 }, (_, number) => toSample(number + 1)),
    descriptors: { before: 60, after },
  })

  test('is steady when only the database grows', () => {
    expect(isSteady(soak((minute) => sample(minute)))).toBe(true)
  })

  test('may warm up in its first quarter', () => {
    expect(isSteady(soak((minute) => sample(minute, { rss: minute <= 15 ? 60 : 100 })))).toBe(true)
  })

  test.each([
    ['RSS', soak((minute) => sample(minute, { rss: 100 + minute }))],
    ['send, p99', soak((minute) => sample(minute, { send: { p50: 2, p99: 8 + minute / 2 } }))],
    [
      "the log's largest size, against 1,000 pages",
      soak((minute) => sample(minute, { wal: minute === 30 ? 9 : 4 })),
    ],
    ['file descriptors after the load, against before it', soak((minute) => sample(minute), 61)],
  ])('is not steady when this alone grows: %s', (measure, given) => {
    expect(isSteady(given)).toBe(false)
    const missed = toRows(given).filter((row) => !allReached([row]))
    expect(missed.map((row) => row.measure)).toEqual([measure])
  })

  test('is told in at most twenty-one lines, from the first look to the last', () => {
    const report = toReport(
      soak((minute) => sample(minute)),
      { minutes: 60, rate: 200 },
    )
    expect(report).toContain('12,000 messages in 60.0 minutes (200 a second were due)')
    const course = report.split('\n\n').at(-1)!.split('\n').slice(2)
    expect(course.length).toBeLessThanOrEqual(21)
    expect(course[0]).toMatch(/^\| 1\.00 \|/)
    expect(course.at(-1)).toMatch(/^\| 60\.0 \|/)
  })
})

describe('results', () => {
  const parts = ['hook', 'hub', 'start']
  const put = (results: string, name: string, text: string) => withSection(results, { name, text, parts })

  test('a part that is measured again takes the place of what it was, and leaves the others', () => {
    const first = put(put('', 'start', 'one'), 'hook', '| a | b |\n|---|---|')
    expect(first.match(/^## .*/gm)).toEqual(['## hook', '## start'])
    const second = put(first, 'start', '### two\n\nthree')
    expect(second.split(/^## /m).slice(1)).toEqual([
      'hook\n\n| a | b |\n|---|---|\n\n',
      'start\n\n### two\n\nthree\n',
    ])
    expect(put(second, 'start', '### two\n\nthree')).toBe(second)
  })

  test('a part that there is no more is not kept', () => {
    expect(put('# Results\n\n## former\n\nfour\n', 'hub', 'five')).not.toContain('former')
  })
})
