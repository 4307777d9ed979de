import { and, desc, eq, gt, sql } from 'drizzle-orm'
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
  const { orm, now, nextSeq, bell } = connection
  const statements = prepare(connection)
  const receipts = selectReceipts(connection)
  const mail = selectMail(connection)

  function refusal(draft: Draft): Refusal | undefined {
    for (const recipientId of draft.recipientIds) {
      if (statements.waiting.get({ recipientId })!.count >= MAX_WAITING)
        return { kind: 'mailbox-full', recipientId }
      const sent = statements.sentSince.get({ senderId: draft.senderId, recipientId, since: now() - 60_000 })!
      if (sent.count >= MAX_SENDS_PER_MINUTE) return { kind: 'too-fast', recipientId }
    }
    return undefined
  }

  function repeat(draft: Draft): Sent | Refusal | undefined {
    const before = statements.byKey.get({ senderId: draft.senderId, idempotencyKey: draft.idempotencyKey })
    if (!before) return undefined
    const recipients = receipts.ofMessage.all({ messageId: before.id }).map((receipt) => receipt.recipientId)
    const same = before.body === draft.body && sameMembers(recipients, draft.recipientIds)
    return { kind: same ? 'repeated' : 'key-reused', messageId: before.id }
  }

  return {
    /** Stores the draft and queues it for each recipient, all or nothing. */
    send(draft: Draft): Sent | Refusal {
      const known = repeat(draft) ?? refusal(draft)
      if (known) return known
      const { senderId, idempotencyKey, body, urgency } = draft
      const message = orm
        .insert(messages)
        .values({
          senderId,
          idempotencyKey,
          body,
          chars: body.length,
          urgency,
          replyTo: draft.replyTo ?? null,
          createdAt: now(),
        })
        .returning({ id: messages.id })
        .get()
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

    /** Takes back what nobody has been offered yet; returns the receipts as they are then. */
    retract(senderId: string, messageId: number): Receipt[] {
      for (const receipt of receipts.ofMessage.all({ messageId })) {
        if (receipt.senderId !== senderId || receipt.state !== 'queued') continue
        statements.retract.run({
          messageId,
          recipientId: receipt.recipientId,
          settledAt: now(),
          changedSeq: nextSeq(),
        })
        bell.note(mailboxTopic(receipt.recipientId))
        bell.note(MESSAGES_TOPIC)
      }
      bell.note(mailboxTopic(senderId))
      return receipts.ofMessage.all({ messageId })
    },

    /** One receipt for each recipient; empty when there is no such message. */
    receipts: (messageId: number): Receipt[] => receipts.ofMessage.all({ messageId }),
    /** Receipts of what a peer sent that changed after a cursor, oldest change first. */
    sentSince: (senderId: string, cursor: number, limit: number): Receipt[] =>
      receipts.ofSenderSince.all({ senderId, cursor, limit }),
    /** Receipts of everything that changed after a cursor, oldest change first. */
    changedSince: (cursor: number, limit: number): Receipt[] => receipts.since.all({ cursor, limit }),
    /** The newest receipts, newest first; with `before`, those of older messages. */
    history: (options: { before: number; limit: number }): Receipt[] => receipts.newest.all(options),
    historyOf: (options: { peerId: string; before: number; limit: number }): Receipt[] =>
      receipts.newestOf.all(options),
    /** How many deliveries there are in each stage. */
    counts: (): { queued: number; offered: number; settled: number } => statements.counts.get({})!,
    /** A message as its recipient may read it again, whatever its state. */
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
    counts: orm
      .select({
        queued: sql<number>`coalesce(sum(${deliveries.state} = 'queued'), 0)`,
        offered: sql<number>`coalesce(sum(${deliveries.state} = 'offered'), 0)`,
        settled: sql<number>`coalesce(sum(${deliveries.settledAt} is not null), 0)`,
      })
      .from(deliveries)
      .prepare(),
    byKey: orm
      .select({ id: messages.id, body: messages.body })
      .from(messages)
      .where(
        and(
          eq(messages.senderId, placeholder('senderId')),
          eq(messages.idempotencyKey, placeholder('idempotencyKey')),
        ),
      )
      .prepare(),
    waiting: orm
      .select({ count: sql<number>`count(*)` })
      .from(deliveries)
      .where(
        sql`${deliveries.recipientId} = ${placeholder('recipientId')} and ${deliveries.settledAt} is null`,
      )
      .prepare(),
    // The newest of a pair first: it reads no further than the limit, however long the two have known each other.
    sentSince: orm
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
      .where(gt(sql`queued_at`, placeholder('since')))
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
