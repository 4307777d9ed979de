import { and, desc, eq, isNotNull, isNull, sql } from 'drizzle-orm'
import type { Connection } from './connection.ts'
import { MAX_RECIPIENTS, MAX_SENDS_PER_MINUTE } from './limits.ts'
import type { Draft } from './messages.ts'
import { createPlaces, SMALLEST_PART, type Taken } from './places.ts'
import { deliveries, messages } from './schema.ts'

/** Which limit a draft would pass, and at which recipient; `too-many` has `count` of them. */
export type LimitRefusal =
  | { kind: 'mailbox-full'; recipientId: string; taken: Taken }
  | { kind: 'too-fast'; recipientId: string }
  | { kind: 'repetition'; recipientId: string; messageId: number }
  | { kind: 'too-many' | 'nobody'; count: number }
  | { kind: 'too-much'; limit: number; waitMs: number }
  | { kind: 'disk-low' }

/**
 * Makes the look at a draft, whose body has the digest, before it is sent: the first limit that it would pass at any of its
 * recipients.
 */
export function createSendLimits(
  connection: Connection,
): (draft: Draft, digest: number) => LimitRefusal | undefined {
  const { now, seat, volume, isDiskLow } = connection
  const statements = prepare(connection)
  const findTaken = createPlaces(connection)

  /** Many questions have the same short answer. One that asks again is none: two sessions could go on so for ever. */
  function settlesQuestion({ senderId, replyTo, replyWithin }: Draft, recipientId: string): boolean {
    if (replyTo === undefined || replyWithin !== undefined) return false
    return (
      statements.openQuestion.get({ messageId: replyTo, askerId: recipientId, askedId: senderId }) !==
      undefined
    )
  }

  /** What lies between the sixtieth and now is of the last minute, unless the clock was set back meanwhile. */
  const isTooFast = (pair: { senderId: string; recipientId: string; now: number }) =>
    statements.lately.get(pair)!.count >= MAX_SENDS_PER_MINUTE

  return function refusal(draft, digest) {
    const { senderId, recipientIds, body } = draft
    const count = recipientIds.length
    if (count === 0) return { kind: 'nobody', count }
    if (count > MAX_RECIPIENTS) return { kind: 'too-many', count }
    if (isDiskLow()) return { kind: 'disk-low' }
    const excess = volume.excess(seat(senderId)!.machineId, volume.sizeOf(body, count))
    if (excess) return { kind: 'too-much', ...excess }
    for (const recipientId of recipientIds) {
      const pair = { senderId, recipientId, now: now() }
      const { waiting, sixtieth, same } = statements.before.get({ ...pair, digest, body })!
      const taken = waiting >= SMALLEST_PART ? findTaken(senderId, recipientId) : undefined
      if (taken) return { kind: 'mailbox-full', recipientId, taken }
      if (sixtieth !== null && isLately(sixtieth, pair.now) && isTooFast(pair))
        return { kind: 'too-fast', recipientId }
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
  // index alone. When each was queued is in its message.
  const newest = orm
    .select({ messageId: deliveries.messageId, digest: deliveries.digest })
    .from(deliveries)
    .where(
      and(
        eq(deliveries.senderId, placeholder('senderId')),
        eq(deliveries.recipientId, placeholder('recipientId')),
      ),
    )
    .orderBy(desc(deliveries.messageId))
    .limit(MAX_SENDS_PER_MINUTE)
  const isTakenBack = sql`exists (
    select 1 from ${deliveries} as said where said.message_id = ${messages.id}
      and said.recipient_id = ${placeholder('recipientId')} and said.state = 'retracted'
  )`
  return {
    /**
     * How many messages wait for the recipient, when the sender wrote to it for the sixtieth time before, and which message
     * of the last minute said the same; what was taken back may be said again.
     */
    before: orm
      .select({
        waiting: sql<number>`(
          select count(*) from ${deliveries}
          where ${deliveries.recipientId} = ${placeholder('recipientId')} and ${deliveries.settledAt} is null
        )`,
        sixtieth: sql<number | null>`(
          select ${messages.createdAt} from ${messages}
          where ${messages.id} = (select message_id from ${newest} limit 1 offset ${sql.raw(String(MAX_SENDS_PER_MINUTE - 1))})
        )`,
        same: sql<number | null>`(
          select max(${messages.id}) from ${newest} as newest cross join ${messages}
          where newest.digest = ${placeholder('digest')} and ${messages.id} = newest.message_id
            and ${messages.createdAt} <= ${placeholder('now')} and ${messages.createdAt} > ${placeholder('now')} - 60000
            and ${messages.body} = ${placeholder('body')} and not ${isTakenBack}
        )`,
      })
      .from(sql`(select 1)`)
      .prepare(),
    lately: orm
      .select({ count: sql<number>`count(*)` })
      .from(newest.as('newest'))
      .innerJoin(messages, eq(messages.id, sql`newest.message_id`))
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
