/**
 * Side by side in one run: every subject is measured once a round, in turn, so that what else the machine does hits all
 * of them alike, and figures are told as ratios.
 */

/** What the rounds gave, such as milliseconds. */
export type Samples = number[]

/** Runs every subject once to warm up, then `rounds` times in turn. A subject returns what it cost, such as its ms. */
export async function interleave<Subjects extends Record<string, () => unknown>>(
  subjects: Subjects,
  rounds: number,
): Promise<{ [Name in keyof Subjects]: Awaited<ReturnType<Subjects[Name]>>[] }> {
  const names: (keyof Subjects)[] = Object.keys(subjects)
  const samples = Object.fromEntries(names.map((name) => [name, [] as unknown[]]))
  for (const name of names) await subjects[name]!()
  for (let round = 0; round < rounds; round++) {
    for (const name of names) samples[name as string]!.push(await subjects[name]!())
  }
  return samples as { [Name in keyof Subjects]: Awaited<ReturnType<Subjects[Name]>>[] }
}

/** The middle value. */
export function median(samples: Samples): number {
  return quantile(samples, 0.5)
}

/** The value below which a share of the samples lies, by linear interpolation. */
export function quantile(samples: Samples, share: number): number {
  const sorted = samples.toSorted((left, right) => left - right)
  const position = (sorted.length - 1) * share
  const below = sorted[Math.floor(position)]!
  return below + (sorted[Math.ceil(position)]! - below) * (position - Math.floor(position))
}

/** The time that `work` takes, in ms. */
export async function timed(work: () => unknown): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}
