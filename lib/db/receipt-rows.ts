import { aliasedTable, and, asc, desc, eq, gt, inArray, lt, or, sql } from 'drizzle-orm'
import type { Connection } from './connection.ts'
import { deliveries, machines, messages, peers } from './schema.ts'

/** Where one message stands with one recipient. Times are ms since the epoch, null while not reached. */
export type Receipt = {
  messageId: number
  senderId: string
  senderName: string
  senderHost: string
  recipientId: string
  recipientName: string
  recipientHost: string
  body: string
  chars: number
  urgency: 'normal' | 'fyi'
  replyTo: number | null
  state: 'queued' | 'offered' | 'delivered' | 'read' | 'expired' | 'retracted'
  attempts: number
  queuedAt: number
  offeredAt: number | null
  settledAt: number | null
  readAt: number | null
  expiresAt: number
  changedSeq: number
}

/** The prepared reads of receipts. */
export function selectReceipts({ orm }: Connection) {
  const limit = sql.placeholder('limit')
  const before = sql.placeholder('before')
  const peerId = sql.placeholder('peerId')
  const newestMessages = orm
    .select({ id: messages.id })
    .from(messages)
    .where(lt(messages.id, before))
    .orderBy(desc(messages.id))
    .limit(limit)
  /** The newest messages of each side are found by an index; an `or` over both would sort all that a peer ever had. */
  const newestMessagesOf = (column: typeof deliveries.senderId | typeof deliveries.recipientId) => sql`
    select message_id from (
      select distinct ${deliveries.messageId} from ${deliveries}
      where ${column} = ${peerId} and ${deliveries.messageId} < ${before}
      order by ${deliveries.messageId} desc limit ${limit}
    )`
  return {
    ofMessage: receiptQuery(orm)
      .where(eq(deliveries.messageId, sql.placeholder('messageId')))
      .orderBy(asc(deliveries.recipientId))
      .prepare(),
    ofSenderSince: receiptQuery(orm)
      .where(
        and(
          eq(deliveries.senderId, sql.placeholder('senderId')),
          gt(deliveries.changedSeq, sql.placeholder('cursor')),
        ),
      )
      .orderBy(asc(deliveries.changedSeq))
      .limit(limit)
      .prepare(),
    since: receiptQuery(orm)
      .where(gt(deliveries.changedSeq, sql.placeholder('cursor')))
      .orderBy(asc(deliveries.changedSeq))
      .limit(limit)
      .prepare(),
    newest: receiptQuery(orm)
      .where(inArray(deliveries.messageId, newestMessages))
      .orderBy(desc(deliveries.messageId), asc(deliveries.recipientId))
      .prepare(),
    newestOf: receiptQuery(orm)
      .where(
        and(
          sql`${deliveries.messageId} in (
            ${newestMessagesOf(deliveries.senderId)} union ${newestMessagesOf(deliveries.recipientId)}
            order by message_id desc limit ${limit}
          )`,
          or(eq(deliveries.senderId, peerId), eq(deliveries.recipientId, peerId)),
        ),
      )
      .orderBy(desc(deliveries.messageId), asc(deliveries.recipientId))
      .prepare(),
  }
}

function receiptQuery(orm: Connection['orm']) {
  const senders = aliasedTable(peers, 'senders')
  const senderMachines = aliasedTable(machines, 'sender_machines')
  return orm
    .select({
      messageId: deliveries.messageId,
      senderId: deliveries.senderId,
      senderName: senders.name,
      senderHost: senderMachines.host,
      recipientId: deliveries.recipientId,
      recipientName: peers.name,
      recipientHost: machines.host,
      body: messages.body,
      chars: messages.chars,
      urgency: messages.urgency,
      replyTo: messages.replyTo,
      state: deliveries.state,
      attempts: deliveries.attempts,
      queuedAt: deliveries.queuedAt,
      offeredAt: deliveries.offeredAt,
      settledAt: deliveries.settledAt,
      readAt: deliveries.readAt,
      expiresAt: deliveries.expiresAt,
      changedSeq: deliveries.changedSeq,
    })
    .from(deliveries)
    .innerJoin(messages, eq(messages.id, deliveries.messageId))
    .innerJoin(peers, eq(peers.id, deliveries.recipientId))
    .innerJoin(machines, eq(machines.id, peers.machineId))
    .innerJoin(senders, eq(senders.id, deliveries.senderId))
    .innerJoin(senderMachines, eq(senderMachines.id, senders.machineId))
    .$dynamic()
}
