const FIRST_RETRY_MS = 250
const LONGEST_RETRY_MS = 5_000

/** Full jitter, so that a fleet does not come back in step; the first attempt is at once. */
export function toRetryDelay(attempt: number): number {
  if (attempt === 0) return 0
  return Math.random() * Math.min(FIRST_RETRY_MS * 2 ** attempt, LONGEST_RETRY_MS)
}
