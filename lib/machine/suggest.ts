/** The known word that somebody most likely meant: spelt otherwise, a part of it, or two keys away; else `undefined`. */
export function suggest<T extends string>(word: string, known: readonly T[]): T | undefined {
  const bare = toBare(word)
  if (bare.length > 32) return undefined
  const ranked = known
    .map((one) => ({ one, away: toDistance(bare, toBare(one)) }))
    .toSorted((left, right) => left.away - right.away)
  const [nearest] = ranked
  if (nearest && nearest.away <= Math.min(2, Math.floor(bare.length / 2))) return nearest.one
  return bare.length < 3
    ? undefined
    : known.find((one) => toBare(one).includes(bare) || bare.includes(toBare(one)))
}

const toBare = (word: string) => word.toLowerCase().replaceAll(/[^\p{L}\p{M}\p{N}]/gu, '')

/** The Levenshtein distance: how many letters must be put in, taken out or changed. */
function toDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (let line = 1; line <= one.length; line++) {
    const next = [line]
    for (let column = 1; column <= other.length; column++) {
      const change = row[column - 1]! + Number(one[line - 1] !== other[column - 1])
      next.push(Math.min(change, row[column]! + 1, next[column - 1]! + 1))
    }
    row = next
  }
  return row.at(-1)!
}
