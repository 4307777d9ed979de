import type { Database } from '#db/open'
import type { Log } from './log.ts'

/** Sweeps come every five seconds: after a gap of this, the machine slept, its clock was set, or the hub did not run. */
const GAP_MS = 60_000

/**
 * Makes the sweep of a hub's database. The first one, and each after a gap, first lets what is due to expire wait an hour
 * more: who slept while it became due is back to take it now.
 */
export function createSweep(database: Database, log: Log): () => Promise<void> {
  const { queue, now } = database
  let last: number | undefined

  return async function sweep() {
    const before = last
    const at = now()
    const isAfterGap = before === undefined || Math.abs(at - before) > GAP_MS
    const postponed = await queue.run(() => {
      const changed = isAfterGap ? database.grantGrace() : 0
      database.sweep()
      return changed
    })
    // Only now: a sweep that failed, as on a full disk, has granted nothing.
    last = at
    if (postponed > 0)
      log.info({ postponed, since: before }, 'mail that was due to expire waits an hour more')
  }
}
