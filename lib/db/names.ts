/** Who speaks in a note. No peer's address: each of those has a host. */
export const NETWORK = 'claude-peers'
/** The name of the human's seat at every machine. */
export const USER_NAME = 'user'
/** Names a session never gets: they address the human and everybody. */
const RESERVED = new Set([USER_NAME, 'all'])
/** Leaves room for a suffix below the schema's 64; in characters, as SQLite counts them. */
const LONGEST_BASE = 48

/** Turns any text into a name of 1 to 48 characters, as `toForm` spells it. Of a path, its last part counts. */
export function toName(text: string): string {
  const base =
    text
      .replace(/[/\\]+$/, '')
      .split(/[/\\]/)
      .at(-1) ?? ''
  return toBase(base) || 'session'
}

/**
 * The spelling of names: lower case, the letters and digits of any script with their marks (NFC), and a dash for
 * anything between them. What nobody sees is left out: two names that look alike would mean two peers. Marks that look
 * like a slash or a dash through a letter are, too, and marks without a letter.
 */
export function toForm(text: string): string {
  return text
    .normalize('NFC')
    .toLowerCase()
    .normalize('NFC')
    .replaceAll(
      /\p{Default_Ignorable_Code_Point}|\p{Me}|[\u0334-\u0338\u20d2\u20d3\u20d8-\u20da\u20e5-\u20eb]/gu,
      '',
    )
    .replaceAll(/[^\p{L}\p{M}\p{Nd}\p{Nl}]+/gu, '-')
    .replaceAll(/(^|-)\p{M}+/gu, '$1')
    .replaceAll(/-+/g, '-')
    .replaceAll(/^-|-$/g, '')
    .normalize('NFC')
}

/** The names that an address can mean, the likeliest first: as it is written, and as a longer name of a repository is cut. */
export const toWantedNames = (text: string): string[] =>
  [...new Set([toForm(text), toBase(text)])].filter(Boolean)

const toBase = (text: string): string =>
  Array.from(toForm(text)).slice(0, LONGEST_BASE).join('').replace(/-$/, '')

/** The first free one of `api`, `api-2`, `api-3`, … for a text such as a path. */
export function uniqueName(text: string, isTaken: (name: string) => boolean): string {
  const base = toName(text)
  if (!RESERVED.has(base) && !isTaken(base)) return base
  for (let number = 2; ; number++) {
    const name = `${base}-${number}`
    if (!isTaken(name)) return name
  }
}
