import { and, desc, eq, isNotNull, isNull, sql } from 'drizzle-orm'
import type { Connection } from './connection.ts'
import { MAX_RECIPIENTS, MAX_SENDS_PER_MINUTE, MAX_WAITING } from './limits.ts'
import type { Draft } from './messages.ts'
import { deliveries, messages } from './schema.ts'

/** Which limit a draft would pass, and at which recipient; `too-many` has `count` of them. */
export type LimitRefusal =
  | { kind: 'mailbox-full' | 'too-fast'; recipientId: string }
  | { kind: 'repetition'; recipientId: string; messageId: number }
  | { kind: 'too-many' | 'nobody'; count: number }

/** Makes the look at a draft before it is sent: the first limit that it would pass at any of its recipients. */
export function createSendLimits(connection: Connection): (draft: Draft) => LimitRefusal | undefined {
  const { now } = connection
  const statements = prepare(connection)

  /** Many questions have the same short answer. One that asks again is none: two sessions could go on so for ever. */
  function settlesQuestion({ senderId, replyTo, replyWithin }: Draft, recipientId: string): boolean {
    if (replyTo === undefined || replyWithin !== undefined) return false
    return (
      statements.openQuestion.get({ messageId: replyTo, askerId: recipientId, askedId: senderId }) !==
      undefined
    )
  }

  return function refusal(draft) {
    const { senderId, recipientIds, body } = draft
    const count = recipientIds.length
    if (count === 0) return { kind: 'nobody', count }
    if (count > MAX_RECIPIENTS) return { kind: 'too-many', count }
    for (const recipientId of recipientIds) {
      const pair = { senderId, recipientId, now: now() }
      const { waiting, sentAt } = statements.before.get(pair)!
      if (waiting >= MAX_WAITING) return { kind: 'mailbox-full', recipientId }
      // Most who write have not written to the same peer within the minute.
      if (sentAt === null || !isLately(sentAt, pair.now)) continue
      const { count: sent, same } = statements.lately.get({ ...pair, chars: body.length, body })!
      if (sent >= MAX_SENDS_PER_MINUTE) return { kind: 'too-fast', recipientId }
      if (same !== null && !settlesQuestion(draft, recipientId))
        return { kind: 'repetition', recipientId, messageId: same }
    }
    return undefined
  }
}

/** What a clock that was set back since has dated later than now is not of the last minute. */
const isLately = (sentAt: number, now: number) => sentAt <= now && sentAt > now - 60_000

function prepare({ orm }: Connection) {
  const placeholder = sql.placeholder
  // The newest of a pair first: it reads no further than the limit, however long the two have known each other, and of the
  // index alone. When each was queued is in its message, which is looked at for its text anyway.
  const newest = (limit: number) =>
    orm
      .select({ messageId: deliveries.messageId })
      .from(deliveries)
      .where(
        and(
          eq(deliveries.senderId, placeholder('senderId')),
          eq(deliveries.recipientId, placeholder('recipientId')),
        ),
      )
      .orderBy(desc(deliveries.messageId))
      .limit(limit)
  const lately = newest(MAX_SENDS_PER_MINUTE).as('lately')
  const isTakenBack = sql`exists (
    select 1 from ${deliveries} as said where said.message_id = ${messages.id}
      and said.recipient_id = ${placeholder('recipientId')} and said.state = 'retracted'
  )`
  return {
    /** How many messages wait for the recipient, and when the sender wrote to it last. */
    before: orm
      .select({
        waiting: sql<number>`(
          select count(*) from ${deliveries}
          where ${deliveries.recipientId} = ${placeholder('recipientId')} and ${deliveries.settledAt} is null
        )`,
        sentAt: sql<
          number | null
        >`(select ${messages.createdAt} from ${messages} where ${messages.id} = ${newest(1)})`,
      })
      .from(sql`(select 1)`)
      .prepare(),
    // What was taken back may be said again.
    lately: orm
      .select({
        count: sql<number>`count(*)`,
        same: sql<number | null>`max(case when ${messages.chars} = ${placeholder('chars')}
          and ${messages.body} = ${placeholder('body')} and not ${isTakenBack} then ${messages.id} end)`,
      })
      .from(lately)
      .innerJoin(messages, eq(messages.id, lately.messageId))
      .where(
        sql`${messages.createdAt} <= ${placeholder('now')} and ${messages.createdAt} > ${placeholder('now')} - 60000`,
      )
      .prepare(),
    openQuestion: orm
      .select({ one: sql`1` })
      .from(deliveries)
      .where(
        and(
          eq(deliveries.messageId, placeholder('messageId')),
          eq(deliveries.recipientId, placeholder('askedId')),
          eq(deliveries.senderId, placeholder('askerId')),
          isNotNull(deliveries.replyBy),
          isNull(deliveries.replyId),
          sql`${deliveries.state} <> 'retracted'`,
        ),
      )
      .prepare(),
  }
}
