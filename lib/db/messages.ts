import { and, asc, eq, gt, isNull, sql } from 'drizzle-orm'
import { noteMail, type MailChange } from './bell.ts'
import type { Connection } from './connection.ts'
import { selectMail, type Mail } from './mail-rows.ts'
import { createMailWrites, toDigest } from './mail-writes.ts'
import { isOfPeers, selectReceipts, type Nameless, type Receipt } from './receipt-rows.ts'
import { createReplies } from './replies.ts'
import { oneDelivery } from './one-delivery.ts'
import { deliveries, messages } from './schema.ts'
import { createSendLimits, type LimitRefusal } from './send-limits.ts'

export type Messages = ReturnType<typeof createMessages>

export type Draft = {
  senderId: string
  recipientIds: string[]
  /** The same sender and key make the same message, however often it is sent. */
  idempotencyKey: string
  body: string
  urgency: 'normal' | 'fyi'
  replyTo?: number | undefined
  /** The recipients are all in this scope of the sender: who that is may differ when the draft comes again. */
  scope?: 'machine' | 'directory' | 'repo' | undefined
  /** How many ms the sender waits for an answer of each recipient. */
  replyWithin?: number | undefined
}

/** What became of a draft; `repeated`: it had been sent before. */
export type Sent = { kind: 'sent'; messageId: number } | { kind: 'repeated'; messageId: number }
/** Why a draft was not sent; nothing changed. */
export type Refusal = { kind: 'key-reused'; messageId: number } | LimitRefusal

/** More changes than this are not looked through for those of one sender. */
const MANY_CHANGES = 1_000

/** The sending side of mail: every function is synchronous; writes belong inside `queue.run`. */
export function createMessages(connection: Connection) {
  const { now, nextSeq, bell, meter, seat, volume } = connection
  const statements = prepare(connection)
  const writes = createMailWrites(connection)
  const receipts = selectReceipts(connection)
  const mail = selectMail(connection)
  const replies = createReplies(connection)
  const refusal = createSendLimits(connection)

  function repeat(draft: Draft): Sent | Refusal | undefined {
    const before = statements.byKey.get({ senderId: draft.senderId, idempotencyKey: draft.idempotencyKey })
    if (!before) return undefined
    const rows = ofMessage(before.id)
    const recipients = rows.map((receipt) => receipt.recipientId)
    const [{ replyBy, queuedAt } = { replyBy: null, queuedAt: 0 }] = rows
    const same =
      before.body === draft.body &&
      before.urgency === draft.urgency &&
      before.replyTo === (draft.replyTo ?? null) &&
      before.scope === (draft.scope ?? null) &&
      (replyBy === null ? undefined : replyBy - queuedAt) === draft.replyWithin &&
      (draft.scope !== undefined || sameMembers(recipients, draft.recipientIds))
    return { kind: same ? 'repeated' : 'key-reused', messageId: before.id }
  }

  const ofMessage = (messageId: number): Receipt[] => receipts.ofMessage.all({ messageId }).map(toNamed)

  function toNamed(row: Nameless): Receipt {
    const [sender, recipient] = [seat(row.senderId)!, seat(row.recipientId)!]
    return {
      ...row,
      senderName: sender.name,
      senderHost: sender.host,
      recipientName: recipient.name,
      recipientHost: recipient.host,
    }
  }

  return {
    /** Stores the draft and queues it for each recipient, all or nothing. */
    send(draft: Draft): Sent | Refusal {
      const digest = toDigest(draft.body)
      const refused = refusal(draft, digest)
      if (refused) return repeat(draft) ?? refused
      const { senderId, idempotencyKey, body, urgency, replyWithin } = draft
      // One time for all of it: a repeated draft is known by how long it waits for its answer.
      const queuedAt = now()
      const replyBy = replyWithin === undefined ? null : queuedAt + replyWithin
      const messageId = writes.store({
        senderId,
        idempotencyKey,
        body,
        urgency,
        replyTo: draft.replyTo ?? null,
        kind: 'message',
        scope: draft.scope ?? null,
        createdAt: queuedAt,
      })
      if (messageId === undefined) return repeat(draft)!
      for (const recipientId of draft.recipientIds) {
        writes.queue({ messageId, senderId, recipientId, digest, queuedAt, replyBy })
        if (draft.replyTo !== undefined)
          replies.answer(draft.replyTo, { from: senderId, to: recipientId, id: messageId })
      }
      volume.note(seat(senderId)!.machineId, volume.sizeOf(body, draft.recipientIds.length))
      if (meter) bell.noteWork(() => meter.sent())
      return { kind: 'sent', messageId }
    },

    /**
     * Takes back what nobody has been offered yet; returns the receipts as they are then. What was offered may have
     * been read, also when it waits again: its acknowledgement may still come.
     */
    retract(senderId: string, messageId: number): Receipt[] {
      for (const { recipientId, ...receipt } of ofMessage(messageId)) {
        if (receipt.senderId !== senderId || receipt.state !== 'queued' || receipt.attempts > 0) continue
        const change = { messageId, senderId, recipientId, changedSeq: nextSeq() }
        statements.retract.run({ ...change, settledAt: now() })
        noteMail(bell, change)
        if (receipt.replyTo !== null)
          replies.reopen(receipt.replyTo, { from: senderId, to: recipientId, id: messageId })
      }
      return ofMessage(messageId)
    },

    /** One receipt for each recipient; empty when there is no such message. */
    receipts: ofMessage,
    /** The receipts of such deliveries as are still kept, as they are now; in no order. */
    receiptsOf: (mail: readonly Pick<MailChange, 'messageId' | 'recipientId'>[]): Receipt[] =>
      receipts.ofKeys.all({ keys: JSON.stringify(mail.map((one) => [one.messageId, one.recipientId])) }),
    /**
     * What a peer sent and that changed after a cursor, oldest change first. Few changes of the network are looked through;
     * of many, all that the peer ever sent, which is less (10 ms for 10,000 messages).
     */
    sentSince(senderId: string, cursor: number, limit: number): MailChange[] {
      const isLately = statements.changesAfter.get({ cursor })!.count < MANY_CHANGES
      return (isLately ? statements.sentLately : statements.sentEver).all({ senderId, cursor, limit })
    },
    /** Receipts of everything that changed after a cursor, oldest change first. */
    changedSince: (cursor: number, limit: number): Receipt[] => receipts.since.all({ cursor, limit }),
    /** The receipts of the newest `limit` messages before a message, newest first. */
    history: (options: { before: number; limit: number }): Receipt[] => receipts.newest.all(options),
    /** The same of what one peer sent or got; of a message that it got, only its own receipt. */
    historyOf: (options: { peerId: string; before: number; limit: number }): Receipt[] =>
      receipts.newestOf.all(options),
    /** The receipts of the newest `limit` messages that a peer sent before a message, newest first. */
    sentBy: (options: { peerId: string; before: number; limit: number }): Receipt[] =>
      receipts.newestSent.all(options),
    /**
     * What has no answer, newest first: of what a peer `sent`, all but mail for information and answers that ask nothing;
     * and what it got from others who await its answer. At most `limit` receipts each.
     */
    unanswered: (options: { peerId: string; limit: number }): { sent: Receipt[]; owed: Receipt[] } => ({
      sent: receipts.unanswered.all(options),
      owed: receipts.owed.all(options),
    }),
    /** How many deliveries there are in each stage. */
    counts: (): { queued: number; offered: number; settled: number } => statements.counts.get({})!,
    /** When the message was queued that has waited longest; `undefined` when none waits. */
    oldestWaiting: (): number | undefined => statements.oldestWaiting.get({})?.queuedAt,
    /** What a message says, whole, and when it was sent. */
    whole: (messageId: number): { body: string; createdAt: number } | undefined =>
      statements.whole.get({ messageId }),
    /** A message as its recipient may read it again: one that it was offered at least once. */
    received: (recipientId: string, messageId: number): Mail | undefined =>
      mail.one({ recipientId, messageId }),
  }
}

function sameMembers(left: string[], right: string[]): boolean {
  return left.length === right.length && left.every((one) => right.includes(one))
}

function prepare({ orm }: Connection) {
  const value = (name: string) => sql`${sql.placeholder(name)}`
  const placeholder = sql.placeholder
  const [senderId, cursor] = [placeholder('senderId'), placeholder('cursor')]
  const { messageId, recipientId, changedSeq } = deliveries
  const change = { messageId, recipientId, changedSeq }
  return {
    // Three reads of small indexes: reading the table would cost 12 ms at 100,000 rows.
    counts: orm
      .select({
        queued: sql<number>`(select count(*) from ${deliveries} where settled_at is null and state = 'queued')`,
        offered: sql<number>`(select count(*) from ${deliveries} where settled_at is null and state = 'offered')`,
        settled: sql<number>`(select count(*) from ${deliveries} where settled_at is not null)`,
      })
      .from(sql`(select 1)`)
      .prepare(),
    // All wait equally long before they expire, as long as nobody sets another time, and of that there is an index.
    oldestWaiting: orm
      .select({ queuedAt: deliveries.queuedAt })
      .from(deliveries)
      .where(isNull(deliveries.settledAt))
      .orderBy(asc(deliveries.expiresAt))
      .limit(1)
      .prepare(),
    byKey: orm
      .select({
        id: messages.id,
        body: messages.body,
        urgency: messages.urgency,
        replyTo: messages.replyTo,
        scope: messages.scope,
      })
      .from(messages)
      .where(
        and(
          eq(messages.idempotencyKey, placeholder('idempotencyKey')),
          eq(messages.senderId, placeholder('senderId')),
        ),
      )
      .prepare(),
    whole: orm
      .select({ body: messages.body, createdAt: messages.createdAt })
      .from(messages)
      .where(eq(messages.id, placeholder('messageId')))
      .prepare(),
    changesAfter: orm
      .select({ count: sql<number>`count(*)` })
      .from(
        orm
          .select({ one: sql`1`.as('one') })
          .from(deliveries)
          .where(gt(deliveries.changedSeq, cursor))
          .limit(MANY_CHANGES)
          .as('changes'),
      )
      .prepare(),
    sentLately: orm
      .select(change)
      .from(deliveries)
      .where(and(gt(deliveries.changedSeq, cursor), eq(deliveries.senderId, senderId), isOfPeers))
      .orderBy(asc(deliveries.changedSeq))
      .limit(placeholder('limit'))
      .prepare(),
    sentEver: orm
      .select(change)
      .from(messages)
      .innerJoin(deliveries, eq(deliveries.messageId, messages.id))
      .where(and(eq(messages.senderId, senderId), sql`+${deliveries.changedSeq} > ${cursor}`, isOfPeers))
      .orderBy(asc(deliveries.changedSeq))
      .limit(placeholder('limit'))
      .prepare(),
    retract: orm
      .update(deliveries)
      .set({ state: 'retracted', settledAt: value('settledAt'), changedSeq: value('changedSeq') })
      .where(oneDelivery)
      .prepare(),
  }
}
