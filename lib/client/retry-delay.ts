const FIRST_RETRY_MS = 250

/** The longest pauses, in ms: a hub of this machine is started by whoever looks for it, one of another is waited for. */
export const LONGEST_RETRY_MS = { local: 5_000, remote: 15_000 } as const

/** Full jitter, so that a fleet does not come back in step; the first attempt (0) is at once. */
export function toRetryDelay(attempt: number, longest: number = LONGEST_RETRY_MS.local): number {
  if (attempt === 0) return 0
  return Math.random() * Math.min(FIRST_RETRY_MS * 2 ** attempt, longest)
}
