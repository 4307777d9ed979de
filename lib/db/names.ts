/** Who speaks in a note. No peer's address: each of those has a host. */
export const NETWORK = 'claude-peers'
/** The name of the human's seat at every machine. */
export const USER_NAME = 'user'
/** Names a session never gets: they address the human and everybody. */
const RESERVED = new Set([USER_NAME, 'all'])
/** Leaves room for a suffix below the schema's 64. */
const LONGEST_BASE = 48

/** Turns any text into a name: lower case, `[a-z0-9-]`, 1 to 48 characters. Of a path, its last part counts. */
export function toName(text: string): string {
  const base =
    text
      .replace(/[/\\]+$/, '')
      .split(/[/\\]/)
      .at(-1) ?? ''
  const name = base
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/\p{Mark}/gu, '')
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, LONGEST_BASE)
    .replaceAll(/^-+|-+$/g, '')
  return name || 'session'
}

/** The first free one of `api`, `api-2`, `api-3`, … for a text such as a path. */
export function uniqueName(text: string, isTaken: (name: string) => boolean): string {
  const base = toName(text)
  if (!RESERVED.has(base) && !isTaken(base)) return base
  for (let number = 2; ; number++) {
    const name = `${base}-${number}`
    if (!isTaken(name)) return name
  }
}
