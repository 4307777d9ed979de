import { and, asc, eq, isNull, sql } from 'drizzle-orm'
import { mailboxTopic, MESSAGES_TOPIC } from './bell.ts'
import type { Connection } from './connection.ts'
import { MESSAGE_TTL_MS } from './limits.ts'
import { selectMail, type Mail } from './mail-rows.ts'
import { prepareMail } from './mail-writes.ts'
import { selectReceipts, type Receipt } from './receipt-rows.ts'
import { createReplies } from './replies.ts'
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

/** The sending side of mail: every function is synchronous; writes belong inside `queue.run`. */
export function createMessages(connection: Connection) {
  const { now, nextSeq, bell, meter } = connection
  const statements = prepare(connection)
  const writes = prepareMail(connection)
  const receipts = selectReceipts(connection)
  const mail = selectMail(connection)
  const replies = createReplies(connection)
  const refusal = createSendLimits(connection)

  function repeat(draft: Draft): Sent | Refusal | undefined {
    const before = statements.byKey.get({ senderId: draft.senderId, idempotencyKey: draft.idempotencyKey })
    if (!before) return undefined
    const rows = receipts.ofMessage.all({ messageId: before.id })
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

  return {
    /** Stores the draft and queues it for each recipient, all or nothing. */
    send(draft: Draft): Sent | Refusal {
      const refused = refusal(draft)
      if (refused) return repeat(draft) ?? refused
      const { senderId, idempotencyKey, body, urgency, replyWithin } = draft
      const queuedAt = now()
      const expiresAt = queuedAt + MESSAGE_TTL_MS
      const replyBy = replyWithin === undefined ? null : queuedAt + replyWithin
      const message = writes.insert.get({
        senderId,
        idempotencyKey,
        body,
        chars: body.length,
        urgency,
        replyTo: draft.replyTo ?? null,
        kind: 'message',
        scope: draft.scope ?? null,
        createdAt: queuedAt,
      })
      // Its sender has used the key before.
      if (!message) return repeat(draft)!
      for (const recipientId of draft.recipientIds) {
        writes.queue.run({
          messageId: message.id,
          recipientId,
          senderId,
          queuedAt,
          expiresAt,
          replyBy,
          changedSeq: nextSeq(),
        })
        bell.note(mailboxTopic(recipientId))
        if (draft.replyTo !== undefined)
          replies.answer(draft.replyTo, { from: senderId, to: recipientId, id: message.id })
      }
      bell.note(mailboxTopic(senderId))
      bell.note(MESSAGES_TOPIC)
      if (meter) bell.noteWork(() => meter.sent())
      return { kind: 'sent', messageId: message.id }
    },

    /**
     * Takes back what nobody has been offered yet; returns the receipts as they are then. What was offered may have
     * been read, also when it waits again: its acknowledgement may still come.
     */
    retract(senderId: string, messageId: number): Receipt[] {
      for (const { recipientId, ...receipt } of receipts.ofMessage.all({ messageId })) {
        if (receipt.senderId !== senderId || receipt.state !== 'queued' || receipt.attempts > 0) continue
        statements.retract.run({ messageId, recipientId, settledAt: now(), changedSeq: nextSeq() })
        if (receipt.replyTo !== null)
          replies.reopen(receipt.replyTo, { from: senderId, to: recipientId, id: messageId })
        bell.note(mailboxTopic(recipientId))
        bell.note(mailboxTopic(senderId))
        bell.note(MESSAGES_TOPIC)
      }
      return receipts.ofMessage.all({ messageId })
    },

    /** One receipt for each recipient; empty when there is no such message. */
    receipts: (messageId: number): Receipt[] => receipts.ofMessage.all({ messageId }),
    /** Receipts of what a peer sent that changed after a cursor, oldest change first. */
    sentSince(senderId: string, cursor: number, limit: number): Receipt[] {
      const page = { senderId, cursor, limit }
      return [...receipts.waitingSince.all(page), ...receipts.settledSince.all(page)]
        .toSorted((one, other) => one.changedSeq - other.changedSeq)
        .slice(0, limit)
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
    /** A message as its recipient may read it again: one that it was offered at least once. */
    received: (recipientId: string, messageId: number): Mail | undefined =>
      mail.one.get({ recipientId, messageId }),
  }
}

function sameMembers(left: string[], right: string[]): boolean {
  return left.length === right.length && left.every((one) => right.includes(one))
}

function prepare({ orm }: Connection) {
  const value = (name: string) => sql`${sql.placeholder(name)}`
  const placeholder = sql.placeholder
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
    // All wait equally long before they expire, and of that there is an index.
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
          eq(messages.senderId, placeholder('senderId')),
          eq(messages.idempotencyKey, placeholder('idempotencyKey')),
        ),
      )
      .prepare(),
    retract: orm
      .update(deliveries)
      .set({ state: 'retracted', settledAt: value('settledAt'), changedSeq: value('changedSeq') })
      .where(
        and(
          eq(deliveries.messageId, placeholder('messageId')),
          eq(deliveries.recipientId, placeholder('recipientId')),
        ),
      )
      .prepare(),
  }
}
