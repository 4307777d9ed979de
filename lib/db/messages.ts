import { and, desc, eq, sql } from 'drizzle-orm'
import { mailboxTopic, MESSAGES_TOPIC } from './bell.ts'
import type { Connection } from './connection.ts'
import { MAX_SENDS_PER_MINUTE, MAX_WAITING, MESSAGE_TTL_MS } from './limits.ts'
import { selectMail, type Mail } from './mail-rows.ts'
import { selectReceipts, type Receipt } from './receipt-rows.ts'
import { deliveries, messages } from './schema.ts'

export type Messages = ReturnType<typeof createMessages>

export type Draft = {
  senderId: string
  recipientIds: string[]
  /** The same sender and key make the same message, however often it is sent. */
  idempotencyKey: string
  body: string
  urgency: 'normal' | 'fyi'
  replyTo?: number | undefined
}

/** What became of a draft; `repeated`: it had been sent before. */
export type Sent = { kind: 'sent' | 'repeated'; messageId: number }
/** Why a draft was not sent; nothing changed. */
export type Refusal =
  | { kind: 'key-reused'; messageId: number }
  | { kind: 'mailbox-full' | 'too-fast'; recipientId: string }

/** The sending side of mail: every function is synchronous; writes belong inside `queue.run`. */
export function createMessages(connection: Connection) {
  const { now, nextSeq, bell } = connection
  const statements = prepare(connection)
  const receipts = selectReceipts(connection)
  const mail = selectMail(connection)

  function refusal(draft: Draft): Refusal | undefined {
    for (const recipientId of draft.recipientIds) {
      if (statements.waiting.get({ recipientId })!.count >= MAX_WAITING)
        return { kind: 'mailbox-full', recipientId }
      const sent = statements.sentLately.get({ senderId: draft.senderId, recipientId, now: now() })!
      if (sent.count >= MAX_SENDS_PER_MINUTE) return { kind: 'too-fast', recipientId }
    }
    return undefined
  }

  function repeat(draft: Draft): Sent | Refusal | undefined {
    const before = statements.byKey.get({ senderId: draft.senderId, idempotencyKey: draft.idempotencyKey })
    if (!before) return undefined
    const recipients = receipts.ofMessage.all({ messageId: before.id }).map((receipt) => receipt.recipientId)
    const same =
      before.body === draft.body &&
      before.urgency === draft.urgency &&
      before.replyTo === (draft.replyTo ?? null) &&
      sameMembers(recipients, draft.recipientIds)
    return { kind: same ? 'repeated' : 'key-reused', messageId: before.id }
  }

  return {
    /** Stores the draft and queues it for each recipient, all or nothing. */
    send(draft: Draft): Sent | Refusal {
      const known = repeat(draft) ?? refusal(draft)
      if (known) return known
      const { senderId, idempotencyKey, body, urgency } = draft
      const message = statements.insert.get({
        senderId,
        idempotencyKey,
        body,
        chars: body.length,
        urgency,
        replyTo: draft.replyTo ?? null,
        createdAt: now(),
      })
      for (const recipientId of draft.recipientIds) {
        statements.queue.run({
          messageId: message.id,
          recipientId,
          senderId,
          queuedAt: now(),
          expiresAt: now() + MESSAGE_TTL_MS,
          changedSeq: nextSeq(),
        })
        bell.note(mailboxTopic(recipientId))
      }
      bell.note(mailboxTopic(senderId))
      bell.note(MESSAGES_TOPIC)
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
        bell.note(mailboxTopic(recipientId))
        bell.note(mailboxTopic(senderId))
        bell.note(MESSAGES_TOPIC)
      }
      return receipts.ofMessage.all({ messageId })
    },

    /** One receipt for each recipient; empty when there is no such message. */
    receipts: (messageId: number): Receipt[] => receipts.ofMessage.all({ messageId }),
    /** Receipts of what a peer sent that changed after a cursor, oldest change first. */
    sentSince: (senderId: string, cursor: number, limit: number): Receipt[] =>
      receipts.ofSenderSince.all({ senderId, cursor, limit }),
    /** Receipts of everything that changed after a cursor, oldest change first. */
    changedSince: (cursor: number, limit: number): Receipt[] => receipts.since.all({ cursor, limit }),
    /** The receipts of the newest `limit` messages before a message, newest first. */
    history: (options: { before: number; limit: number }): Receipt[] => receipts.newest.all(options),
    /** The same of what one peer sent or got; of a message that it got, only its own receipt. */
    historyOf: (options: { peerId: string; before: number; limit: number }): Receipt[] =>
      receipts.newestOf.all(options),
    /** How many deliveries there are in each stage. */
    counts: (): { queued: number; offered: number; settled: number } => statements.counts.get({})!,
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
    byKey: orm
      .select({
        id: messages.id,
        body: messages.body,
        urgency: messages.urgency,
        replyTo: messages.replyTo,
      })
      .from(messages)
      .where(
        and(
          eq(messages.senderId, placeholder('senderId')),
          eq(messages.idempotencyKey, placeholder('idempotencyKey')),
        ),
      )
      .prepare(),
    insert: orm
      .insert(messages)
      .values({
        senderId: placeholder('senderId'),
        idempotencyKey: placeholder('idempotencyKey'),
        body: placeholder('body'),
        chars: placeholder('chars'),
        urgency: placeholder('urgency'),
        replyTo: placeholder('replyTo'),
        createdAt: placeholder('createdAt'),
      })
      .returning({ id: messages.id })
      .prepare(),
    waiting: orm
      .select({ count: sql<number>`count(*)` })
      .from(deliveries)
      .where(
        sql`${deliveries.recipientId} = ${placeholder('recipientId')} and ${deliveries.settledAt} is null`,
      )
      .prepare(),
    // The newest of a pair first: it reads no further than the limit, however long the two have known each other.
    // What a clock that was set back since has dated later than now is not of the last minute.
    sentLately: orm
      .select({ count: sql<number>`count(*)` })
      .from(
        orm
          .select({ queuedAt: deliveries.queuedAt })
          .from(deliveries)
          .where(
            and(
              eq(deliveries.senderId, placeholder('senderId')),
              eq(deliveries.recipientId, placeholder('recipientId')),
            ),
          )
          .orderBy(desc(deliveries.messageId))
          .limit(MAX_SENDS_PER_MINUTE)
          .as('newest'),
      )
      .where(sql`queued_at <= ${placeholder('now')} and queued_at > ${placeholder('now')} - 60000`)
      .prepare(),
    queue: orm
      .insert(deliveries)
      .values({
        messageId: placeholder('messageId'),
        recipientId: placeholder('recipientId'),
        senderId: placeholder('senderId'),
        state: 'queued',
        queuedAt: placeholder('queuedAt'),
        expiresAt: placeholder('expiresAt'),
        changedSeq: placeholder('changedSeq'),
      })
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
