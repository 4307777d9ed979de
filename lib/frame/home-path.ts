/** Paths below a home directory as a person reads them: `~/…`. What programs read keeps its absolute paths. */

/** A path with its owner's home as `~`. */
export function shortenPath(path: string, home: string | null | undefined): string {
  if (!isShortenable(home)) return path
  if (path === home) return '~'
  return path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path
}

/**
 * The same for each path in a text of ours. Only where a word begins, as a shell takes it: within quotes `~` would be
 * a character like others, and a command that is pasted would miss its file.
 */
export function shortenPaths(text: string, home: string | null | undefined): string {
  if (!isShortenable(home)) return text
  const own = home.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`)
  const place = new RegExp(String.raw`(?<=^|\s)${own}(?=/|[,.:;)]*(?:\s|$))`, 'g')
  return text.replaceAll(place, '~')
}

/** A home that is the root of everything, or nothing, shortens nothing. */
const isShortenable = (home: string | null | undefined): home is string =>
  home !== null && home !== undefined && /^\/[^/]/.test(home) && !home.endsWith('/')
