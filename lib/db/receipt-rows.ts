import {
  aliasedTable,
  and,
  asc,
  desc,
  eq,
  gt,
  inArray,
  isNotNull,
  isNull,
  lt,
  ne,
  or,
  sql,
  type SQLWrapper,
} from 'drizzle-orm'
import type { Connection } from './connection.ts'
import { deliveries, machines, messages, peers } from './schema.ts'

/** Characters of a body that come with its receipt. */
const EXCERPT_CHARS = 200

/** The beginning of a body: a page of whole ones would cost a slow reader's hub up to 13 MB. */
export const toExcerpt = (body: SQLWrapper) =>
  sql<string>`substr(${body}, 1, ${sql.raw(String(EXCERPT_CHARS))})`

/** Where one message stands with one recipient. Times are ms since the epoch, null while not reached. */
export type Receipt = {
  messageId: number
  senderId: string
  senderName: string
  senderHost: string
  recipientId: string
  recipientName: string
  recipientHost: string
  excerpt: string
  chars: number
  urgency: 'normal' | 'fyi'
  replyTo: number | null
  /** A `note` is the network's own; its sender is its recipient. */
  kind: 'message' | 'note'
  /** Until when the sender awaits an answer. */
  replyBy: number | null
  /** The newest answer; its beginning as long as it is kept. */
  replyId: number | null
  replyExcerpt: string | null
  state: 'queued' | 'offered' | 'delivered' | 'read' | 'expired' | 'retracted'
  attempts: number
  queuedAt: number
  offeredAt: number | null
  settledAt: number | null
  readAt: number | null
  /** When it was last taken back after its delivery. */
  requeuedAt: number | null
  notifiedAt: number | null
  expiresAt: number
  changedSeq: number
}

/** Not a note, which its recipient did not send. */
export const isOfPeers = ne(deliveries.senderId, deliveries.recipientId)

export type Nameless = Omit<Receipt, 'senderName' | 'senderHost' | 'recipientName' | 'recipientHost'>

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
  /** Each side is found in an index; an `or` over both would read the rows of all that a peer ever sent and got. */
  const newestMessagesOf = sql`
    select id from (
      select ${messages.id} as id from ${messages}
      where ${messages.senderId} = ${peerId} and ${messages.id} < ${before} order by id desc limit ${limit}
    ) union select id from (
      select ${deliveries.messageId} as id from ${deliveries}
      where ${deliveries.recipientId} = ${peerId} and ${deliveries.messageId} < ${before} order by id desc limit ${limit}
    ) order by id desc limit ${limit}`
  const newestSent = orm
    .select({ id: messages.id })
    .from(messages)
    .where(and(eq(messages.senderId, peerId), lt(messages.id, before), eq(messages.kind, sql`'message'`)))
    .orderBy(desc(messages.id))
    .limit(limit)
  return {
    /** Without names: a send is answered with it, and those are known. */
    ofMessage: orm
      .select(columns)
      .from(deliveries)
      .innerJoin(messages, eq(messages.id, deliveries.messageId))
      .where(eq(deliveries.messageId, sql.placeholder('messageId')))
      .orderBy(asc(deliveries.recipientId))
      .prepare(),
    /** `keys`: pairs of message and recipient, as JSON. */
    ofKeys: receiptQuery(orm)
      .innerJoin(
        sql`json_each(${sql.placeholder('keys')}) as wanted`,
        and(
          eq(deliveries.messageId, sql`wanted.value ->> 0`),
          eq(deliveries.recipientId, sql`wanted.value ->> 1`),
        ),
      )
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
    newestSent: receiptQuery(orm)
      .where(and(inArray(deliveries.messageId, newestSent), isOfPeers))
      .orderBy(desc(deliveries.messageId), asc(deliveries.recipientId))
      .prepare(),
    unanswered: receiptQuery(orm)
      .where(
        and(
          eq(messages.senderId, peerId),
          isOfPeers,
          isNull(deliveries.replyId),
          ne(deliveries.state, sql`'retracted'`),
          ne(deliveries.state, sql`'expired'`),
          eq(messages.urgency, sql`'normal'`),
          or(isNull(messages.replyTo), isNotNull(deliveries.replyBy)),
        ),
      )
      .orderBy(desc(messages.id))
      .limit(limit)
      .prepare(),
    owed: receiptQuery(orm)
      .where(
        and(
          eq(deliveries.recipientId, peerId),
          sql`${deliveries.replyBy} is not null`,
          isNull(deliveries.replyId),
          sql`${deliveries.state} in ('delivered', 'read')`,
        ),
      )
      .orderBy(desc(deliveries.messageId))
      .limit(limit)
      .prepare(),
    newestOf: receiptQuery(orm)
      .where(
        and(
          sql`${deliveries.messageId} in (${newestMessagesOf})`,
          // The plus keeps SQLite from starting here, at all that the peer ever sent and got.
          sql`(+${deliveries.senderId} = ${peerId} or +${deliveries.recipientId} = ${peerId})`,
        ),
      )
      .orderBy(desc(deliveries.messageId), asc(deliveries.recipientId))
      .prepare(),
  }
}

/** What is told of a delivery, but for the names of its two sides. */
const columns = {
  messageId: deliveries.messageId,
  senderId: deliveries.senderId,
  recipientId: deliveries.recipientId,
  excerpt: toExcerpt(messages.body),
  chars: messages.chars,
  urgency: messages.urgency,
  replyTo: messages.replyTo,
  kind: messages.kind,
  replyBy: deliveries.replyBy,
  replyId: deliveries.replyId,
  replyExcerpt: sql<
    string | null
  >`(select ${toExcerpt(sql`replies.body`)} from ${messages} as replies where replies.id = ${deliveries.replyId})`,
  state: deliveries.state,
  attempts: deliveries.attempts,
  queuedAt: deliveries.queuedAt,
  offeredAt: deliveries.offeredAt,
  settledAt: deliveries.settledAt,
  readAt: deliveries.readAt,
  requeuedAt: deliveries.requeuedAt,
  notifiedAt: deliveries.notifiedAt,
  expiresAt: deliveries.expiresAt,
  changedSeq: deliveries.changedSeq,
}

function receiptQuery(orm: Connection['orm']) {
  const senders = aliasedTable(peers, 'senders')
  const senderMachines = aliasedTable(machines, 'sender_machines')
  return orm
    .select({
      ...columns,
      senderName: senders.name,
      senderHost: senderMachines.host,
      recipientName: peers.name,
      recipientHost: machines.host,
    })
    .from(deliveries)
    .innerJoin(messages, eq(messages.id, deliveries.messageId))
    .innerJoin(peers, eq(peers.id, deliveries.recipientId))
    .innerJoin(machines, eq(machines.id, peers.machineId))
    .innerJoin(senders, eq(senders.id, deliveries.senderId))
    .innerJoin(senderMachines, eq(senderMachines.id, senders.machineId))
    .$dynamic()
}
