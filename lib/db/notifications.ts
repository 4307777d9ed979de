import { and, asc, eq, exists, isNull, lte, sql } from 'drizzle-orm'
import type { Connection } from './connection.ts'
import { NETWORK } from './names.ts'
import { oneDelivery } from './one-delivery.ts'
import { deliveries, machines, messages, peers } from './schema.ts'

/** One unread message. `from` is the address of its sender, or `claude-peers` for a note. */
export type Unread = { messageId: number; recipientId: string; from: string; queuedAt: number }

/**
 * What the person has to be told of: mail that is queued, not `fyi`, and that nobody was told of yet; a note only when
 * the person is who asked.
 */
export function createNotifications(connection: Connection) {
  const { now, nextSeq, bell } = connection
  const statements = prepare(connection)
  return {
    /** The ids of those for whom such mail has waited since `before` or longer. */
    recipients: (before: number): string[] => statements.recipients.all({ before }).map(({ id }) => id),
    /**
     * Marks the oldest such mail of a recipient as told, at most `limit`, and returns it; belongs inside `queue.run`.
     * Who marks first and tells then tells nothing twice, wherever it is killed in between; it may tell nothing.
     */
    take(recipientId: string, { before, limit }: { before: number; limit: number }): Unread[] {
      const found = statements.unread.all({ recipientId, before, limit })
      for (const { messageId, senderId } of found) {
        const change = { messageId, senderId, recipientId, changedSeq: nextSeq() }
        statements.mark.run({ ...change, notifiedAt: now() })
        bell.noteSent(change)
      }
      return found.map(({ messageId, from, queuedAt }) => ({ messageId, recipientId, from, queuedAt }))
    },
  }
}

function prepare({ orm }: Connection) {
  const value = (name: string) => sql`${sql.placeholder(name)}`
  // In the words of the partial index: a bound value would not lead SQLite to it.
  const untold = and(
    eq(deliveries.state, sql`'queued'`),
    isNull(deliveries.notifiedAt),
    lte(deliveries.queuedAt, sql.placeholder('before')),
    eq(messages.urgency, sql`'normal'`),
    // Whichever side `peers` stands for: a note has its recipient for its sender.
    sql`(${messages.kind} = 'message' or ${peers.kind} = 'user')`,
  )
  return {
    recipients: orm
      .select({ id: peers.id })
      .from(peers)
      .where(
        exists(
          orm
            .select({ one: sql`1` })
            .from(deliveries)
            .innerJoin(messages, eq(messages.id, deliveries.messageId))
            .where(and(eq(deliveries.recipientId, peers.id), untold)),
        ),
      )
      .prepare(),
    unread: orm
      .select({
        messageId: deliveries.messageId,
        senderId: deliveries.senderId,
        from: sql<string>`case ${messages.kind} when 'note' then ${sql.raw(`'${NETWORK}'`)}
          else ${peers.name} || '@' || ${machines.host} end`,
        queuedAt: deliveries.queuedAt,
      })
      .from(deliveries)
      .innerJoin(messages, eq(messages.id, deliveries.messageId))
      .innerJoin(peers, eq(peers.id, deliveries.senderId))
      .innerJoin(machines, eq(machines.id, peers.machineId))
      .where(and(eq(deliveries.recipientId, sql.placeholder('recipientId')), untold))
      .orderBy(asc(deliveries.queuedAt), asc(deliveries.messageId))
      .limit(sql.placeholder('limit'))
      .prepare(),
    mark: orm
      .update(deliveries)
      .set({ notifiedAt: value('notifiedAt'), changedSeq: value('changedSeq') })
      .where(oneDelivery)
      .prepare(),
  }
}
