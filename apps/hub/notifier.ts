import type { Unread } from '#db/notifications'
import { MAX_WAKES, NOTIFY_AFTER_MS } from '#db/limits'
import type { Database } from '#db/open'
import type { Hub, Presence } from '#router/context'
import { isUnattended, toHow } from '#router/reach'
import type { Log } from './log.ts'
import { toNotification, type Pile } from './notification.ts'
import type { Tell } from './tell.ts'

/** Sessions that were online before the hub started have this long to come back and say what they do. */
export const SETTLE_MS = 30_000
/** What becomes due meanwhile is told of in one notification, so that a busy network does not ring for ever. */
export const PAUSE_MS = 30_000
/** Messages marked in one transaction at most. */
const PAGE = 500

export type Notifier = {
  /** Tells the person of what stays unread with nobody there to take it; called with each sweep. */
  sweep(): Promise<void>
  /** False from an attempt that failed until one that does not. */
  works(): boolean
  /** Ends what is still being told; settles when it is gone. */
  close(): Promise<void>
}

/**
 * Tells the person once of each message that has waited 90 seconds for a session that is gone or idle, which waking did
 * not help, or in the person's own inbox. Mail that is `fyi` never; nor mail on its way to a session that works, until
 * it ends up waiting for somebody. A message is marked before it is told of: a hub that is killed in between
 * tells of it never, not twice.
 */
export function createNotifier(options: {
  database: Database
  isRunning: Hub['isRunning']
  presence: Presence
  log: Log
  tell: Tell
}): Notifier {
  const { database, isRunning, presence, log, tell } = options
  const { notifications, peers, queue, now } = database
  const closing = new AbortController()
  let quietUntil = now() + SETTLE_MS
  let works = true
  let telling: Promise<void> | undefined

  /** A clock that was set back does not make it quiet for as long as that. */
  const isQuiet = () => now() < quietUntil && quietUntil - now() <= Math.max(PAUSE_MS, SETTLE_MS)

  function findPiles(before: number): Omit<Pile, 'unread'>[] {
    return notifications.recipients(before).flatMap((id) => {
      const recipient = peers.get(id)!
      // What has waited this long for an idle session was not brought by waking it.
      const how = toHow(recipient, { urgency: 'normal', attempts: MAX_WAKES }, { isRunning, presence })
      return isUnattended(how) ? [{ recipient, how }] : []
    })
  }

  async function take(recipientId: string, before: number): Promise<Unread[]> {
    const taken: Unread[] = []
    for (;;) {
      const page = await queue.run(() => notifications.take(recipientId, { before, limit: PAGE }))
      taken.push(...page)
      if (page.length < PAGE) return taken
    }
  }

  async function tellOf(found: Omit<Pile, 'unread'>[], before: number): Promise<void> {
    const piles: Pile[] = []
    for (const one of found) piles.push({ ...one, unread: await take(one.recipient.id, before) })
    const notification = toNotification(
      piles.filter(({ unread }) => unread.length > 0),
      now(),
    )
    const { count, messages } = notification
    if (count === 0 || closing.signal.aborted) return
    const { failure } = await tell(notification, closing.signal)
    works = failure === undefined
    const told = { count, messages: messages.map(({ id }) => id) }
    if (works) log.info(told, 'told the person of unread mail')
    else log.warn({ ...told, failure }, 'could not tell the person of unread mail')
  }

  return {
    async sweep() {
      if (telling || closing.signal.aborted || isQuiet()) return
      const before = now() - NOTIFY_AFTER_MS
      const found = findPiles(before)
      if (found.length === 0) return
      quietUntil = now() + PAUSE_MS
      telling = tellOf(found, before).finally(() => (telling = undefined))
      await telling
    },
    works: () => works,
    async close() {
      closing.abort()
      // How that ended is for the sweep under way to report.
      await telling?.catch(() => undefined)
    },
  }
}
