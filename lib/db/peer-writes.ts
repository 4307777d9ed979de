import { and, eq, sql } from 'drizzle-orm'
import type { Connection } from './connection.ts'
import { machines, peers, sessions } from './schema.ts'

/** The prepared changes of seats, their sessions and machines. Each change of a seat takes a new `changedSeq`. */
export function writePeers({ orm }: Connection) {
  const placeholder = sql.placeholder
  const value = (name: string) => sql`${placeholder(name)}`
  const seat = eq(peers.id, placeholder('id'))
  const changedSeq = value('changedSeq')
  const seenAt = value('now')
  return {
    noteMachine: orm
      .insert(machines)
      .values({
        id: placeholder('id'),
        host: placeholder('host'),
        userHome: placeholder('userHome'),
        createdAt: placeholder('now'),
        seenAt: placeholder('now'),
      })
      .onConflictDoUpdate({
        target: machines.id,
        set: {
          host: sql`excluded.host`,
          userHome: sql`coalesce(excluded.user_home, user_home)`,
          seenAt: sql`excluded.seen_at`,
        },
      })
      .prepare(),
    create: orm
      .insert(peers)
      .values({
        id: placeholder('id'),
        machineId: placeholder('machineId'),
        kind: placeholder('kind'),
        name: placeholder('name'),
        root: placeholder('root'),
        home: placeholder('home'),
        repository: placeholder('repository'),
        remote: placeholder('remote'),
        place: placeholder('place'),
        cwd: placeholder('cwd'),
        isRepo: placeholder('isRepo'),
        branch: placeholder('branch'),
        summary: placeholder('summary'),
        pid: placeholder('pid'),
        pidStart: placeholder('pidStart'),
        pidNamespace: placeholder('pidNamespace'),
        sessionId: placeholder('sessionId'),
        keyHash: '',
        online: false,
        onlineSeq: 0,
        seenAt: placeholder('now'),
        heldSince: placeholder('now'),
        createdAt: placeholder('now'),
        changedSeq: placeholder('changedSeq'),
      })
      .prepare(),
    take: orm
      .update(peers)
      .set({
        root: value('root'),
        home: value('home'),
        repository: value('repository'),
        remote: value('remote'),
        place: value('place'),
        cwd: value('cwd'),
        isRepo: value('isRepo'),
        branch: value('branch'),
        summary: value('summary'),
        pid: value('pid'),
        pidStart: value('pidStart'),
        pidNamespace: value('pidNamespace'),
        sessionId: value('sessionId'),
        keyHash: value('keyHash'),
        heldSince: value('heldSince'),
        seenAt,
        changedSeq,
      })
      .where(seat)
      .prepare(),
    move: orm
      .update(peers)
      .set({ machineId: value('machineId'), name: value('name'), changedSeq })
      .where(seat)
      .prepare(),
    relabel: orm.update(peers).set({ changedSeq }).where(seat).prepare(),
    turn: orm
      .update(peers)
      .set({ online: value('online'), onlineSeq: changedSeq, seenAt, changedSeq })
      .where(and(seat, sql`${peers.online} <> ${placeholder('online')}`))
      .prepare(),
    summarize: orm
      .update(peers)
      .set({ summary: value('summary'), seenAt, changedSeq })
      .where(seat)
      .prepare(),
    setSession: orm
      .update(peers)
      .set({ sessionId: value('sessionId'), seenAt, changedSeq })
      .where(seat)
      .prepare(),
    forgetSession: orm
      .delete(sessions)
      .where(and(eq(sessions.peerId, placeholder('id')), eq(sessions.sessionId, placeholder('sessionId'))))
      .prepare(),
    rememberSession: orm
      .insert(sessions)
      .values({
        sessionId: placeholder('sessionId'),
        peerId: placeholder('id'),
        boundAt: placeholder('now'),
      })
      .onConflictDoUpdate({
        target: [sessions.sessionId, sessions.peerId],
        set: { boundAt: sql`excluded.bound_at` },
      })
      .prepare(),
  }
}
