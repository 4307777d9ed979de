import { aliasedTable, and, asc, desc, eq, gt, isNull, lt, sql, type SQL } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import type { Connection } from './connection.ts'
import { MAX_WAKES } from './limits.ts'
import { toExcerpt } from './receipt-rows.ts'
import { deliveries, messages } from './schema.ts'

/** One message as its recipient gets it. `attempts` above 1: it may have been seen before. */
export type Mail = {
  id: number
  body: string
  chars: number
  urgency: 'normal' | 'fyi'
  replyTo: number | null
  /** A `note` is the network's own; its sender is its recipient. */
  kind: 'message' | 'note'
  /** The scope of the sender that it went to as a whole. */
  scope: 'machine' | 'directory' | 'repo' | null
  /** Until when the sender awaits an answer. */
  replyBy: number | null
  /** The beginning of what it answers, when its recipient sent that; `answersAsk`: and awaited an answer to it. */
  answered: string | null
  answersAsk: boolean
  /** When that was sent. */
  answeredAt: number | null
  createdAt: number
  attempts: number
  senderId: string
  senderName: string
  senderHost: string
  senderCwd: string
  senderHome: string | null
  /** When the recipient's present session took the seat; older mail was sent to, or by, a previous session. */
  heldSince: number
}

/** The same without what its two seats say. */
type Seatless = Omit<Mail, 'senderName' | 'senderHost' | 'senderCwd' | 'senderHome' | 'heldSince'>

/** A message that its reader's transcript may show by now. */
export type Unread = {
  id: number
  state: 'offered' | 'delivered'
  offeredAt: number
  /** How long ago that was, in ms: the reader's clock may be another one. */
  offeredAgo: number
}

/** What one look at unread mail gives at most, of each stage; one injection or answer holds fewer messages. */
const MAX_UNREAD = 50

/** The prepared reads of mailboxes. */
export function selectMail({ orm, seat }: Connection) {
  const recipientId = sql.placeholder('recipientId')
  // Which states are waiting is known already, but a word on them leads SQLite to the index of waiting mail: without
  // statistics it takes the one of all mail that the recipient ever got for just as good. Both are one range of that index;
  // for a list of them SQLite would fill a table first.
  const mailThat = (is: SQL) =>
    and(eq(deliveries.recipientId, recipientId), isNull(deliveries.settledAt), sql`${deliveries.state} ${is}`)
  const isWaiting = mailThat(sql`>= 'offered'`)
  const isQueued = mailThat(sql`= 'queued'`)
  const isOffered = mailThat(sql`= 'offered'`)
  const open = aliasedTable(deliveries, 'open')
  const isNotHeldBack = sql`${deliveries.senderId} not in (
    select ${open.senderId} from ${deliveries} as open
    where ${open.recipientId} = ${recipientId} and ${open.settledAt} is null and ${open.state} = 'offered'
  )`
  const waiting = mailQuery(orm)
    .where(isWaiting)
    .orderBy(asc(deliveries.messageId))
    .limit(sql.placeholder('limit'))
    .prepare()
  const taken = mailQuery(orm)
    .where(
      and(
        eq(deliveries.recipientId, recipientId),
        lt(deliveries.messageId, sql.placeholder('before')),
        sql`${deliveries.state} in ('delivered', 'read')`,
      ),
    )
    .orderBy(desc(deliveries.messageId))
    .limit(sql.placeholder('limit'))
    .prepare()
  const one = mailQuery(orm)
    .where(
      and(
        eq(deliveries.recipientId, recipientId),
        eq(deliveries.messageId, sql.placeholder('messageId')),
        gt(deliveries.attempts, 0),
      ),
    )
    .prepare()

  /** With what its seats say, which are known: three joins less. */
  function toMail(row: Seatless, reader: string): Mail {
    const sender = seat(row.senderId)!
    return {
      ...row,
      senderName: sender.name,
      senderHost: sender.host,
      senderCwd: sender.cwd,
      senderHome: sender.userHome,
      heldSince: seat(reader)!.heldSince,
    }
  }

  return {
    /** What waits for one (queued or on offer), oldest first. */
    waiting: (options: { recipientId: string; limit: number }): Mail[] =>
      waiting.all(options).map((row) => toMail(row, options.recipientId)),
    /** One message that its recipient was offered at least once. */
    one(options: { recipientId: string; messageId: number }): Mail | undefined {
      const row = one.get(options)
      return row && toMail(row, options.recipientId)
    },
    /** What one has taken, newest first. */
    taken: (options: { recipientId: string; before: number; limit: number }): Mail[] =>
      taken.all(options).map((row) => toMail(row, options.recipientId)),
    any: orm
      .select({ one: sql`1` })
      .from(deliveries)
      .where(
        and(
          isWaiting,
          sql`(${deliveries.state} = 'queued' or ${deliveries.leaseUntil} <= ${sql.placeholder('now')})`,
        ),
      )
      .limit(1)
      .prepare(),
    queued: orm
      .select({ count: sql<number>`count(*)` })
      .from(deliveries)
      .where(isQueued)
      .prepare(),
    /** What a consume would give now and is worth a turn: no mere information, and no delivery that broke each time. */
    urgent: orm
      .select({ count: sql<number>`count(*)` })
      .from(deliveries)
      .innerJoin(messages, eq(messages.id, deliveries.messageId))
      .where(
        and(
          isQueued,
          eq(messages.urgency, 'normal'),
          sql`${deliveries.attempts} - ${deliveries.earlierAttempts} < ${MAX_WAKES}`,
          isNotHeldBack,
        ),
      )
      .prepare(),
    // Without an order, which would cost a sort in SQLite even of the one message that most mailboxes hold.
    all: orm
      .select({
        messageId: deliveries.messageId,
        senderId: deliveries.senderId,
        state: sql<'queued' | 'offered'>`${deliveries.state}`,
        leaseUntil: deliveries.leaseUntil,
        chars: messages.chars,
        urgency: messages.urgency,
      })
      .from(deliveries)
      .innerJoin(messages, eq(messages.id, deliveries.messageId))
      .where(isWaiting)
      .prepare(),
    ofOffer: orm
      .select({
        messageId: deliveries.messageId,
        senderId: deliveries.senderId,
        queuedAt: deliveries.queuedAt,
      })
      .from(deliveries)
      .where(and(isWaiting, eq(deliveries.offerId, sql.placeholder('offerId'))))
      .prepare(),
    delivered: orm
      .select({
        id: deliveries.messageId,
        offeredAt: sql<number>`${deliveries.offeredAt}`,
      })
      .from(deliveries)
      .where(
        and(
          eq(deliveries.recipientId, recipientId),
          sql`${deliveries.state} = 'delivered' and ${deliveries.settledAt} > ${sql.placeholder('after')}`,
        ),
      )
      .orderBy(desc(deliveries.messageId))
      .limit(MAX_UNREAD)
      .prepare(),
    onOffer: orm
      .select({ id: deliveries.messageId, offeredAt: sql<number>`${deliveries.offeredAt}` })
      .from(deliveries)
      .where(isOffered)
      .orderBy(desc(deliveries.messageId))
      .limit(MAX_UNREAD)
      .prepare(),
  }
}

function mailQuery(orm: Connection['orm']) {
  const answered = alias(messages, 'answered')
  return orm
    .select({
      id: messages.id,
      body: messages.body,
      chars: messages.chars,
      urgency: messages.urgency,
      replyTo: messages.replyTo,
      kind: messages.kind,
      scope: messages.scope,
      replyBy: deliveries.replyBy,
      answered: sql<string | null>`${toExcerpt(answered.body)}`,
      answersAsk: sql`exists (
        select 1 from ${deliveries} as asked
        where asked.message_id = ${messages.replyTo} and asked.recipient_id = ${deliveries.senderId}
          and asked.sender_id = ${deliveries.recipientId} and asked.reply_by is not null
      )`.mapWith(Boolean),
      answeredAt: answered.createdAt,
      createdAt: messages.createdAt,
      attempts: deliveries.attempts,
      senderId: deliveries.senderId,
    })
    .from(deliveries)
    .innerJoin(messages, eq(messages.id, deliveries.messageId))
    .leftJoin(answered, and(eq(answered.id, messages.replyTo), eq(answered.senderId, deliveries.recipientId)))
    .$dynamic()
}
