import { and, eq, inArray, isNull, lt, lte, notExists, sql, type SQL } from 'drizzle-orm'
import { mailboxTopic, MESSAGES_TOPIC, PEERS_TOPIC } from './bell.ts'
import type { Connection } from './connection.ts'
import { RETENTION_MS } from './limits.ts'
import { deliveries, messages, peers } from './schema.ts'

/** How many rows of each kind one sweep changed. */
export type Swept = { requeued: number; expired: number; forgotten: number; seats: number }

/** Rows of one kind changed in one sweep at most: a large clean-up is spread over many short transactions. */
const ROWS_PER_SWEEP = 500

/**
 * Makes the one sweeper: queues messages again whose lease is over, expires what waited 48 hours, and forgets what
 * has been settled, and seats that nobody has used and no message mentions, for 30 days. Run it inside `queue.run`.
 */
export function createSweeper(connection: Connection) {
  const { orm, now, nextSeq, bell } = connection

  /** One number for each changed row: two rows with one number could fall on both sides of a feed's page. */
  function change(where: SQL | undefined, changes: Partial<typeof deliveries.$inferInsert>): number {
    const rows = orm.select().from(deliveries).where(where).limit(ROWS_PER_SWEEP).all()
    for (const { messageId, senderId, recipientId } of rows) {
      orm
        .update(deliveries)
        .set({ ...changes, changedSeq: nextSeq() })
        .where(and(eq(deliveries.messageId, messageId), eq(deliveries.recipientId, recipientId)))
        .run()
      bell.note(mailboxTopic(senderId))
      bell.note(mailboxTopic(recipientId))
      bell.note(MESSAGES_TOPIC)
    }
    return rows.length
  }

  function requeue(): number {
    return change(lte(deliveries.leaseUntil, now()), { state: 'queued', leaseUntil: null })
  }

  function expire(): number {
    const over = and(
      isNull(deliveries.settledAt),
      eq(deliveries.state, 'queued'),
      lte(deliveries.expiresAt, now()),
    )
    return change(over, { state: 'expired', settledAt: now() })
  }

  function forget(before: number): number {
    const old = orm
      .select({ rowid: sql<number>`rowid` })
      .from(deliveries)
      .where(lt(deliveries.settledAt, before))
      .limit(ROWS_PER_SWEEP)
    const removed = orm
      .delete(deliveries)
      .where(inArray(sql`rowid`, old))
      .returning({ messageId: deliveries.messageId })
      .all()
    const left = orm
      .select({ one: sql`1` })
      .from(deliveries)
      .where(eq(deliveries.messageId, messages.id))
    for (const { messageId } of removed) {
      orm
        .delete(messages)
        .where(and(eq(messages.id, messageId), notExists(left)))
        .run()
    }
    return removed.length
  }

  function removeSeats(before: number): number {
    const candidates = orm
      .select({ id: peers.id })
      .from(peers)
      .where(and(eq(peers.online, false), lt(peers.seenAt, before)))
      .limit(ROWS_PER_SWEEP)
      .all()
    if (candidates.length === 0) return 0
    const removed = orm
      .delete(peers)
      .where(
        and(
          inArray(
            peers.id,
            candidates.map((candidate) => candidate.id),
          ),
          sql`${peers.id} not in (select ${deliveries.recipientId} from ${deliveries})`,
          sql`${peers.id} not in (select ${messages.senderId} from ${messages})`,
        ),
      )
      .run().changes
    if (removed > 0) bell.note(PEERS_TOPIC)
    return removed
  }

  return function sweep(): Swept {
    const before = now() - RETENTION_MS
    return { requeued: requeue(), expired: expire(), forgotten: forget(before), seats: removeSeats(before) }
  }
}
