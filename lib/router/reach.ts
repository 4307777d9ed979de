import type { PeerRow } from '#db/peer-rows'
import type { Receipt as ReceiptRow } from '#db/receipt-rows'
import type { Hub } from './context.ts'
import type { Reach } from './shapes/messages.ts'

type How = Reach['how']

/** How a queued message will reach its recipient, as far as this hub knows now. */
export function toReach(row: ReceiptRow, recipient: PeerRow, hub: Hub): Reach {
  const how = toHow(recipient, row.urgency, hub)
  return { how, since: how === 'gone' ? recipient.seenAt : null, until: row.expiresAt }
}

/** The way by which mail of an urgency gets to a peer now. */
export function toHow(recipient: PeerRow, urgency: ReceiptRow['urgency'], hub: Hub): How {
  if (recipient.kind === 'user') return 'inbox'
  if (!recipient.online) return hub.isRunning(recipient) ? 'disconnected' : 'gone'
  const activity = hub.presence.activityOf(recipient.id)
  if (urgency === 'fyi') return 'fyi'
  if (!activity) return 'unknown'
  if (activity.activity === 'busy') return activity.headless ? 'headless' : 'busy'
  return activity.wakeable ? 'waking' : 'idle'
}
