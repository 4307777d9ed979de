import type { Mail as MailRow, Unread as UnreadRow } from '#db/mail-rows'
import { NETWORK } from '#db/names'
import type { PeerRow, SeatRow } from '#db/peer-rows'
import type { Receipt as ReceiptRow } from '#db/receipt-rows'
import { mayRead } from './bodies.ts'
import type { Context, Hub } from './context.ts'
import { toReach } from './reach.ts'
import type { Mail, Unread } from './shapes/mailbox.ts'
import type { LogEntry, Receipt } from './shapes/messages.ts'
import type { Peer } from './shapes/peers.ts'

/** A seat as others see it. */
export function toPeer(row: PeerRow, hub: Hub): Peer {
  const activity = row.online ? hub.presence.activityOf(row.id) : undefined
  return {
    id: row.id,
    name: row.name,
    host: row.host,
    address: `${row.name}@${row.host}`,
    kind: row.kind,
    directory: row.cwd,
    ...(row.userHome !== null && { home: row.userHome }),
    repo: row.isRepo ? row.root : null,
    branch: row.branch,
    summary: row.summary,
    state: row.online ? 'online' : 'offline',
    ...(activity ?? { activity: null, wakeable: false, headless: false }),
    seenAt: row.seenAt,
    waiting: row.waiting,
  }
}

/** A message as its recipient gets it. */
export function toMail(row: MailRow): Mail {
  const { kind, answered, heldSince } = row
  const ofPrevious = row.answeredAt !== null && row.answeredAt < heldSince
  return {
    id: row.id,
    kind,
    from: kind === 'note' ? NETWORK : `${row.senderName}@${row.senderHost}`,
    directory: kind === 'note' ? '' : row.senderCwd,
    ...(row.senderHome !== null && kind !== 'note' && { home: row.senderHome }),
    text: row.body,
    urgency: row.urgency,
    replyTo: row.replyTo,
    answers: answered === null ? null : { excerpt: answered, awaited: row.answersAsk, ofPrevious },
    replyBy: row.replyBy,
    scope: row.scope,
    sentAt: row.createdAt,
    again: row.attempts > 1,
    forPrevious: row.createdAt < heldSince,
  }
}

/** A message that its reader's transcript may show by now. */
export function toUnread({ id, state, offeredAgo }: UnreadRow): Unread {
  return { id, state, offeredAgo }
}

/** The recipient of a message, where its receipt says how it will be reached: not once it is on its way. */
export function toRecipient({ database }: Context, { state, recipientId }: ReceiptRow): SeatRow | undefined {
  return state === 'queued' ? database.peers.seat(recipientId) : undefined
}

/** A receipt, with how the message will be reached while it is queued. */
export function toReceipt(row: ReceiptRow, recipient: SeatRow | undefined, hub: Hub): Receipt {
  const ended = row.state === 'expired' || row.state === 'retracted'
  return {
    messageId: row.messageId,
    from: row.kind === 'note' ? NETWORK : `${row.senderName}@${row.senderHost}`,
    to: `${row.recipientName}@${row.recipientHost}`,
    urgency: row.urgency,
    state: row.state,
    attempts: row.attempts,
    queuedAt: row.queuedAt,
    offeredAt: row.offeredAt,
    deliveredAt: ended ? null : row.settledAt,
    readAt: row.readAt,
    requeuedAt: row.requeuedAt,
    endedAt: ended ? row.settledAt : null,
    notifiedAt: row.notifiedAt,
    reach: row.state === 'queued' && recipient ? toReach(row, recipient, hub) : null,
    replyBy: row.replyBy,
    reply: row.replyId === null ? null : { id: row.replyId, excerpt: row.replyExcerpt ?? '' },
  }
}

/** A receipt with the beginning of what was said, where `reader` may read that (see `toReader`). */
export function toLogEntry(ctx: Context, row: ReceiptRow, reader: string | undefined): LogEntry {
  const isOpen = mayRead(ctx, reader, row)
  const receipt = toReceipt(row, toRecipient(ctx, row), ctx.hub)
  return {
    ...receipt,
    reply: receipt.reply && (isOpen ? receipt.reply : { ...receipt.reply, excerpt: '' }),
    text: isOpen ? row.excerpt : '',
    chars: row.chars,
    replyTo: row.replyTo,
    kind: row.kind,
  }
}
