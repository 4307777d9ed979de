import { and, asc, eq, getTableColumns, gt, isNull, or, sql } from 'drizzle-orm'
import type { Connection } from './connection.ts'
import { deliveries, machines, peers, sessions } from './schema.ts'

/** A seat with the label of its machine and the mail that waits for it (queued or on offer). */
export type PeerRow = typeof peers.$inferSelect & { host: string; userHome: string | null; waiting: number }

/** The same without the count of its mail. */
export type SeatRow = Readonly<Omit<PeerRow, 'waiting'>>

/** The process that holds a seat, or held it last; `undefined` for a seat without one. */
export const toProcess = ({ pid, pidStart, pidNamespace }: SeatRow) =>
  pid === null ? undefined : { pid, start: pidStart ?? undefined, namespace: pidNamespace ?? undefined }

/** The prepared read of one seat. */
export const selectSeat = (orm: Connection['orm']) =>
  orm
    .select({ ...getTableColumns(peers), host: machines.host, userHome: machines.userHome })
    .from(peers)
    .innerJoin(machines, eq(machines.id, peers.machineId))
    .where(eq(peers.id, sql.placeholder('id')))
    .prepare()

/** The prepared reads of seats with their mail. */
export function selectPeers({ orm }: Connection) {
  // One index range per seat; grouping the whole table would read every waiting message of the network.
  const waiting = sql<number>`(
    select count(*) from ${deliveries}
    where ${deliveries.recipientId} = ${peers.id} and ${deliveries.settledAt} is null
  )`.as('waiting')
  const ofMachine = eq(peers.machineId, sql.placeholder('machineId'))
  const ofSessions = eq(peers.kind, sql`'session'`)
  const select = () =>
    orm
      .select({ ...getTableColumns(peers), host: machines.host, userHome: machines.userHome, waiting })
      .from(peers)
      .innerJoin(machines, eq(machines.id, peers.machineId))
  return {
    hostOf: orm
      .select({ host: machines.host, userHome: machines.userHome })
      .from(machines)
      .where(eq(machines.id, sql.placeholder('id')))
      .prepare(),
    byId: select()
      .where(eq(peers.id, sql.placeholder('id')))
      .prepare(),
    waiting: orm
      .select({ count: sql<number>`count(*)` })
      .from(deliveries)
      .where(and(eq(deliveries.recipientId, sql.placeholder('id')), isNull(deliveries.settledAt)))
      .prepare(),
    online: select().where(eq(peers.online, true)).prepare(),
    changed: select()
      .where(gt(peers.changedSeq, sql.placeholder('cursor')))
      .orderBy(asc(peers.changedSeq))
      .limit(sql.placeholder('limit'))
      .prepare(),
    named: select()
      .where(eq(peers.name, sql.placeholder('name')))
      .orderBy(asc(machines.host), asc(peers.id))
      .prepare(),
    ofName: select()
      .where(and(ofMachine, eq(peers.name, sql.placeholder('name'))))
      .prepare(),
    ofMachine: select().where(ofMachine).orderBy(asc(peers.createdAt)).prepare(),
    ofProcess: select()
      .where(and(ofMachine, eq(peers.pid, sql.placeholder('pid')), ofSessions))
      .prepare(),
    ofSession: select()
      .innerJoin(sessions, eq(sessions.peerId, peers.id))
      .where(and(eq(sessions.sessionId, sql.placeholder('sessionId')), ofMachine, ofSessions))
      .orderBy(sql`waiting > 0 desc`, asc(peers.createdAt), asc(peers.id))
      .prepare(),
    ofHome: select()
      .where(and(ofMachine, eq(peers.home, sql.placeholder('home')), ofSessions))
      .orderBy(sql`waiting > 0 desc`, asc(peers.createdAt), asc(peers.id))
      .prepare(),
    // Of what may have been a moved project's, by its place or its origin.
    ofProject: select()
      .where(
        and(
          ofMachine,
          ofSessions,
          or(eq(peers.place, sql.placeholder('place')), eq(peers.remote, sql.placeholder('remote'))),
        ),
      )
      .orderBy(sql`waiting > 0 desc`, asc(peers.createdAt), asc(peers.id))
      .prepare(),
    binding: orm
      .select({ peerId: sessions.peerId })
      .from(sessions)
      .where(
        and(eq(sessions.sessionId, sql.placeholder('sessionId')), eq(sessions.peerId, sql.placeholder('id'))),
      )
      .prepare(),
    counts: orm
      .select({ online: sql<number>`coalesce(sum(${peers.online}), 0)`, known: sql<number>`count(*)` })
      .from(peers)
      .prepare(),
  }
}
