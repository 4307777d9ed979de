/** A seeded source of chance: the same seed gives the same numbers (mulberry32). */
export type Chance = {
  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number
  /** The same, with small numbers as likely as large ones are by their digits. */
  magnitude(most: number): number
  pick<T>(list: readonly T[]): T
  /** Another source, for what runs at the same time. */
  fork(): Chance
}

export function createChance(seed: number): Chance {
  let state = seed >>> 0
  function next(): number {
    state = (state + 0x6d_2b_79_f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1))
  return {
    between,
    magnitude: (most) => Math.ceil((most + 1) ** next()) - 1 || 1,
    pick: (list) => list[between(0, list.length - 1)]!,
    fork: () => createChance(between(1, 2 ** 31)),
  }
}
