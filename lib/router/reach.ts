import { MAX_WAKES, NOTIFY_AFTER_MS } from '#db/limits'
import type { SeatRow } from '#db/peer-rows'
import type { Receipt as ReceiptRow } from '#db/receipt-rows'
import type { Hub } from './context.ts'
import type { Reach } from './shapes/messages.ts'

type How = Reach['how']
/** What a hub knows of its peers besides their rows. */
type Knowledge = Pick<Hub, 'isRunning' | 'presence'>

/** How a queued message will reach its recipient, as far as this hub knows now. */
export function toReach(row: ReceiptRow, recipient: SeatRow, hub: Hub): Reach {
  const how = toHow(recipient, row, hub)
  // A note to a session is about what the person may not even have seen: nobody is told of it.
  const concerns = row.urgency === 'normal' && (row.kind === 'message' || recipient.kind === 'user')
  const notifies = hub.notifies() && isUnattended(how) && concerns && row.notifiedAt === null
  return {
    how,
    since: how === 'gone' ? recipient.seenAt : null,
    until: row.expiresAt,
    notifyAt: notifies ? row.queuedAt + NOTIFY_AFTER_MS : null,
  }
}

const UNATTENDED = new Set<How>([
  ...(['idle', 'stream', 'asking', 'hookless', 'unproven'] as const),
  ...(['unknown', 'disconnected', 'gone', 'inbox'] as const),
])

/** Whether nobody is known to take mail that has to go this way: somebody must come first. */
export const isUnattended = (how: How): boolean => UNATTENDED.has(how)

/** The way by which mail gets to a peer now. What was offered in vain three times wakes nobody any more. */
export function toHow(
  recipient: SeatRow,
  { urgency, attempts }: Pick<ReceiptRow, 'urgency' | 'attempts'>,
  hub: Knowledge,
): How {
  if (recipient.kind === 'user') return 'inbox'
  if (!recipient.online) return hub.isRunning(recipient) ? 'disconnected' : 'gone'
  const activity = hub.presence.activityOf(recipient.id)
  const isBusy = activity?.activity === 'busy'
  if (activity?.obstacle === 'no-hooks') return 'hookless'
  if (activity?.obstacle === 'unproven' && !isBusy) return 'unproven'
  if (urgency === 'fyi') return 'fyi'
  if (!activity) return 'unknown'
  if (isBusy && activity.obstacle === 'dialog') return 'asking'
  if (!isBusy && activity.obstacle === 'stream') return 'stream'
  // A run without a person has one turn, before which and behind which it is idle for a moment.
  if (activity.headless) return 'headless'
  if (isBusy) return 'busy'
  return activity.wakeable && attempts < MAX_WAKES ? 'waking' : 'idle'
}
