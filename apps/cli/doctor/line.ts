/**
 * One finding of the doctor about one part: `ok`, `unknown` (not there, not applicable, not to be found out), or `fix`,
 * which says what is wrong and what to do. `run` is the one command that mends it, where a command does.
 */
export type Line = { about: string; state: 'ok' | 'unknown' | 'fix'; says: string; run?: string }

export const ok = (about: string, says: string): Line => ({ about, state: 'ok', says })
export const unknown = (about: string, says: string): Line => ({ about, state: 'unknown', says })

/** A finding that something is wrong; without a command, `says` tells what to do. */
export const toFix = (about: string, says: string, run?: string): Line => ({
  about,
  state: 'fix',
  says,
  ...(run !== undefined && { run }),
})

/** What mends a registration, whatever is wrong with it. */
export const INSTALL = 'claude-peers install'

const SIGNS = { ok: 'ok ', unknown: '-- ', fix: 'FIX' }

/** A finding as a person reads it. */
export function toText({ about, state, says, run }: Line): string {
  return `${SIGNS[state]}  ${about}: ${says}${run === undefined ? '' : ` Run: ${run}`}`
}

/** A word for a POSIX shell. */
export function quote(word: string): string {
  return /^[\w@%+=:,./~-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
