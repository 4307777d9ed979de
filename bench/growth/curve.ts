import { interleave, median } from '../measure.ts'

/** Figures of one point, by the name of their column. */
export type Figures = Record<string, number>
/** A curve: at each x the medians of its rounds, and which of them are drawn together. */
export type Curve = {
  title: string
  xLabel: string
  panels: { title: string; columns: string[] }[]
  points: { x: number; figures: Figures }[]
}

/** Measures all points in turn, so many times, and takes the median of each figure. */
export async function measurePoints(
  points: { x: number; measure: () => Promise<Figures> }[],
  rounds: number,
): Promise<Curve['points']> {
  const subjects = Object.fromEntries(points.map(({ x, measure }) => [`at ${x}`, measure]))
  const samples = await interleave(subjects, rounds)
  return points.map(({ x }) => ({ x, figures: toMedians(samples[`at ${x}`]!) }))
}

/** The median of each figure. */
export function toMedians(rounds: Figures[]): Figures {
  const names = Object.keys(rounds[0]!)
  return Object.fromEntries(names.map((name) => [name, median(rounds.map((one) => one[name]!))]))
}
