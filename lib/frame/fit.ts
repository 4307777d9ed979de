/**
 * What a list in a tool's answer may have, in characters of JSON. Clients cut an answer at 25,000 tokens; the densest
 * scripts have about one a character, and the rest of the answer needs room as well.
 */
export const LIST_CHARS = 10_000

/** The first of a list that have room together; a stray long one ends it. */
export function fit<Item>(items: readonly Item[], room = LIST_CHARS): Item[] {
  let left = room
  const end = items.findIndex((item) => (left -= lengthOf(item)) < 0)
  return items.slice(0, end < 0 ? items.length : end)
}

/** What an item takes in an answer. */
export const lengthOf = (item: unknown): number => JSON.stringify(item).length + 1

/** The end of a path, which tells more than its beginning. */
export const toEnd = (path: string, chars: number): string =>
  path.length > chars ? `…${path.slice(1 - chars).toWellFormed()}` : path

/** The beginning of a text. */
export const toStart = (text: string, chars: number): string =>
  text.length > chars ? `${text.slice(0, chars - 1).toWellFormed()}…` : text
