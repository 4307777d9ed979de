import { aliasedTable, and, eq, isNull, ne, notExists, or, sql } from 'drizzle-orm'
import { PEERS_TOPIC } from './bell.ts'
import type { Connection } from './connection.ts'
import { deliveries, messages, peers } from './schema.ts'

/**
 * Makes the removal of seats that nobody will miss: a session's that is offline, never sent anything, and got mail from
 * the person at its own machine alone, all of it settled. Every other seat stays, because receipts of others, or their
 * mail, hang on it. Returns whether the seat was removed; its mail went with it. Run it inside `queue.run`.
 */
export function createSeatRemoval(connection: Connection): (id: string) => boolean {
  const statements = prepare(connection)
  return (id) => {
    if (!statements.removable.get({ id })) return false
    const received = statements.received.all({ id })
    statements.forgetDeliveries.run({ id })
    for (const { messageId } of received) statements.forgetMessage.run({ messageId })
    statements.remove.run({ id })
    connection.fresh.delete(id)
    connection.bell.note(PEERS_TOPIC)
    return true
  }
}

function prepare({ orm }: Connection) {
  const id = sql.placeholder('id')
  const messageId = sql.placeholder('messageId')
  const senders = aliasedTable(peers, 'senders')
  const sent = orm
    .select({ one: sql`1` })
    .from(messages)
    .where(eq(messages.senderId, peers.id))
  const missed = orm
    .select({ one: sql`1` })
    .from(deliveries)
    .innerJoin(senders, eq(senders.id, deliveries.senderId))
    .where(
      and(
        eq(deliveries.recipientId, peers.id),
        or(
          isNull(deliveries.settledAt),
          ne(senders.kind, sql`'user'`),
          ne(senders.machineId, peers.machineId),
        ),
      ),
    )
  const others = orm
    .select({ one: sql`1` })
    .from(deliveries)
    .where(eq(deliveries.messageId, messages.id))
  return {
    removable: orm
      .select({ id: peers.id })
      .from(peers)
      .where(
        and(
          eq(peers.id, id),
          eq(peers.online, sql`0`),
          eq(peers.kind, sql`'session'`),
          notExists(sent),
          notExists(missed),
        ),
      )
      .prepare(),
    received: orm
      .select({ messageId: deliveries.messageId })
      .from(deliveries)
      .where(eq(deliveries.recipientId, id))
      .prepare(),
    forgetDeliveries: orm.delete(deliveries).where(eq(deliveries.recipientId, id)).prepare(),
    forgetMessage: orm
      .delete(messages)
      .where(and(eq(messages.id, messageId), notExists(others)))
      .prepare(),
    remove: orm.delete(peers).where(eq(peers.id, id)).prepare(),
  }
}
