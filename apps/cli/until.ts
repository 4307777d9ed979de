import { setTimeout as wait } from 'node:timers/promises'

const POLL_MS = 20

/** Looks until there is something, and gives that; `undefined` when there is nothing within `patienceMs`. */
export async function until<T>(
  look: () => T | Promise<T>,
  patienceMs: number,
): Promise<NonNullable<T> | undefined> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    const found = await look()
    if (found) return found
    if (performance.now() > deadline) return undefined
    await wait(POLL_MS)
  }
}
