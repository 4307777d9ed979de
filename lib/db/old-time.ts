const SQLITE_FORM = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d(?::\d\d(?:\.\d+)?)?)$/
/** Seconds since the epoch reach this number in the year 5138, milliseconds reached it in 1973. */
const LEAST_MILLISECONDS = 100_000_000_000

/**
 * Reads a time that another program wrote: ISO 8601, SQLite's own form (in UTC), or a number of seconds or milliseconds
 * since the epoch. `undefined` for anything else and for times before the epoch; a time to come is `now`.
 */
export function toPastTime(value: unknown, now: number): number | undefined {
  const time = toMilliseconds(value)
  return time > 0 ? Math.min(Math.round(time), now) : undefined
}

function toMilliseconds(value: unknown): number {
  if (typeof value === 'number') return value < LEAST_MILLISECONDS ? value * 1_000 : value
  if (typeof value !== 'string') return Number.NaN
  if (/^\d{9,}$/.test(value)) return toMilliseconds(Number(value))
  const [, date, time] = SQLITE_FORM.exec(value) ?? []
  return Date.parse(date && time ? `${date}T${time}Z` : value)
}
