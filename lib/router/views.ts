import type { Mail as MailRow } from '#db/mail-rows'
import type { PeerRow } from '#db/peer-rows'
import type { Receipt as ReceiptRow } from '#db/receipt-rows'
import type { Hub } from './context.ts'
import type { Mail } from './shapes/mailbox.ts'
import type { LogEntry, Reach, Receipt } from './shapes/messages.ts'
import type { Peer } from './shapes/peers.ts'

/** A seat as others see it. */
export function toPeer(row: PeerRow): Peer {
  return {
    id: row.id,
    name: row.name,
    host: row.host,
    address: `${row.name}@${row.host}`,
    kind: row.kind,
    directory: row.cwd,
    repo: row.isRepo ? row.root : null,
    branch: row.branch,
    summary: row.summary,
    state: row.online ? 'online' : 'offline',
    seenAt: row.seenAt,
    waiting: row.waiting,
  }
}

/** Who speaks in a note. No peer's address: each of those has a host. */
const NETWORK = 'claude-peers'

/** A message as its recipient gets it. */
export function toMail(row: MailRow): Mail {
  const { kind, answered } = row
  return {
    id: row.id,
    kind,
    from: kind === 'note' ? NETWORK : `${row.senderName}@${row.senderHost}`,
    directory: kind === 'note' ? '' : row.senderCwd,
    text: row.body,
    urgency: row.urgency,
    replyTo: row.replyTo,
    answers: answered === null ? null : { excerpt: answered, awaited: row.answersAsk },
    replyBy: row.replyBy,
    scope: row.scope,
    sentAt: row.createdAt,
    again: row.attempts > 1,
    forPrevious: row.createdAt < row.heldSince,
  }
}

/** A receipt, with how the message will be reached while it is queued. */
export function toReceipt(row: ReceiptRow, recipient: PeerRow | undefined, hub: Hub): Receipt {
  const ended = row.state === 'expired' || row.state === 'retracted'
  return {
    messageId: row.messageId,
    from: row.kind === 'note' ? NETWORK : `${row.senderName}@${row.senderHost}`,
    to: `${row.recipientName}@${row.recipientHost}`,
    state: row.state,
    attempts: row.attempts,
    queuedAt: row.queuedAt,
    offeredAt: row.offeredAt,
    deliveredAt: ended ? null : row.settledAt,
    readAt: row.readAt,
    endedAt: ended ? row.settledAt : null,
    reach: row.state === 'queued' && recipient ? toReach(recipient, row.expiresAt, hub) : null,
    replyBy: row.replyBy,
    reply: row.replyId === null ? null : { id: row.replyId, excerpt: row.replyExcerpt ?? '' },
  }
}

/** A receipt with the beginning of what was said. */
export function toLogEntry(row: ReceiptRow, recipient: PeerRow | undefined, hub: Hub): LogEntry {
  return {
    ...toReceipt(row, recipient, hub),
    text: row.excerpt,
    chars: row.chars,
    urgency: row.urgency,
    replyTo: row.replyTo,
    kind: row.kind,
  }
}

function toReach(recipient: PeerRow, until: number, hub: Hub): Reach {
  if (recipient.kind === 'user') return { how: 'human', since: null, until }
  if (recipient.online) return { how: 'next-event', since: null, until }
  if (hub.isRunning(recipient)) return { how: 'next-turn', since: null, until }
  return { how: 'gone', since: recipient.seenAt, until }
}
