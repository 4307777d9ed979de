import { and, eq, gt, lt, lte, notExists, sql, type SQL } from 'drizzle-orm'
import { noteMail, PEERS_TOPIC } from './bell.ts'
import type { Connection } from './connection.ts'
import { createExpiry } from './expiry.ts'
import { LEASE_MS, RETENTION_MS } from './limits.ts'
import { createMachineTokens } from './machine-tokens.ts'
import { createReplies } from './replies.ts'
import { oneDelivery } from './one-delivery.ts'
import { deliveries, messages, peers } from './schema.ts'

/**
 * How many rows of each kind one sweep changed: deliveries `requeued` and `expired`, questions `overdue`, messages
 * `forgotten`, seats.
 */
export type Swept = { requeued: number; overdue: number; expired: number; forgotten: number; seats: number }

/** Rows of one kind changed in one sweep at most: a large clean-up is spread over many short transactions. */
const ROWS_PER_SWEEP = 500

type Found = { messageId: number; senderId: string; recipientId: string }

/**
 * Makes the one sweeper: queues messages again whose lease is over, tells senders whose question had no answer in time,
 * expires what waited too long, forgets what has been settled for 30 days, and removes the seats of sessions that were
 * not heard of for 30 days and that no message mentions, and tokens that nobody could use for so long. Run it inside
 * `queue.run`.
 */
export function createSweeper(connection: Connection) {
  const { now, nextSeq, bell, meter, fresh } = connection
  const statements = prepare(connection)
  const replies = createReplies(connection)
  const expiry = createExpiry(connection)
  const machineTokens = createMachineTokens(connection)

  /** One number for each changed row: two rows with one number could fall on both sides of a feed's page. */
  function change(rows: Found[], write: (row: Found & { now: number; changedSeq: number }) => void): number {
    for (const row of rows) {
      const change = { ...row, changedSeq: nextSeq() }
      write({ ...change, now: now() })
      noteMail(bell, change)
    }
    return rows.length
  }

  return function sweep(): Swept {
    const before = now() - RETENTION_MS
    // A clock that was set back would make them longer by that much.
    statements.shortenLeases.run({ latest: now() + LEASE_MS })
    const requeued = change(statements.leaseOver.all({ now: now() }), (row) => statements.requeue.run(row))
    if (meter && requeued > 0) bell.noteWork(() => meter.leaseOver(requeued))
    // First: the note of a question that expires says that no answer can come.
    const expired = expiry.expire(ROWS_PER_SWEEP)
    const overdue = replies.settleOverdue()
    const forgotten = new Set(statements.old.all({ before }).map((row) => row.messageId))
    for (const messageId of forgotten) statements.forget.run({ messageId })
    const unused = statements.unused.all({ before })
    for (const { id } of unused) {
      statements.removeSeat.run({ id })
      fresh.delete(id)
    }
    if (unused.length > 0) bell.note(PEERS_TOPIC)
    machineTokens.forgetOld()
    return { requeued, overdue, expired, forgotten: forgotten.size, seats: unused.length }
  }
}

function prepare({ orm }: Connection) {
  const value = (name: string) => sql`${sql.placeholder(name)}`
  const find = (where: SQL | undefined) =>
    orm
      .select({
        messageId: deliveries.messageId,
        senderId: deliveries.senderId,
        recipientId: deliveries.recipientId,
      })
      .from(deliveries)
      .where(where)
      .limit(ROWS_PER_SWEEP)
      .prepare()
  const younger = sql`exists (
    select 1 from ${deliveries} as other where other.message_id = ${deliveries.messageId}
      and (other.settled_at is null or other.settled_at >= ${sql.placeholder('before')})
  )`
  const received = orm
    .select({ one: sql`1` })
    .from(deliveries)
    .where(eq(deliveries.recipientId, peers.id))
  const sent = orm
    .select({ one: sql`1` })
    .from(messages)
    .where(eq(messages.senderId, peers.id))
  return {
    shortenLeases: orm
      .update(deliveries)
      .set({ leaseUntil: value('latest') })
      .where(gt(deliveries.leaseUntil, sql.placeholder('latest')))
      .prepare(),
    leaseOver: find(lte(deliveries.leaseUntil, sql.placeholder('now'))),
    requeue: orm
      .update(deliveries)
      .set({ state: 'queued', leaseUntil: null, changedSeq: value('changedSeq') })
      .where(oneDelivery)
      .prepare(),
    // A message is forgotten as a whole: with some of its recipients gone, a repeated send would seem another one.
    old: find(and(lt(deliveries.settledAt, sql.placeholder('before')), sql`not ${younger}`)),
    forget: orm
      .delete(messages)
      .where(eq(messages.id, sql.placeholder('messageId')))
      .prepare(),
    unused: orm
      .select({ id: peers.id })
      .from(peers)
      .where(
        and(
          eq(peers.online, sql`0`),
          lt(peers.seenAt, sql.placeholder('before')),
          eq(peers.kind, sql`'session'`),
          notExists(received),
          notExists(sent),
        ),
      )
      .limit(ROWS_PER_SWEEP)
      .prepare(),
    removeSeat: orm
      .delete(peers)
      .where(eq(peers.id, sql.placeholder('id')))
      .prepare(),
  }
}
