import { and, eq, sql } from 'drizzle-orm'
import type { Connection } from './connection.ts'
import { PEERS_TOPIC } from './bell.ts'
import { selectPeers, type PeerRow } from './peer-rows.ts'
import { peers, sessions } from './schema.ts'

export type Peers = ReturnType<typeof createPeers>

/** Reads and small changes of seats. All are synchronous; writes belong inside `queue.run`. */
export function createPeers(connection: Connection) {
  const statements = prepare(connection)
  const { bell, nextSeq, now } = connection

  function touch(id: string): void {
    statements.touch.run({ id, seenAt: now(), changedSeq: nextSeq() })
    bell.note(PEERS_TOPIC)
  }

  return {
    get: (id: string): PeerRow | undefined => statements.byId.get({ id }),
    /** The seats that matter now: online, or with mail waiting, or seen since `seenAfter`. */
    list: (seenAfter: number): PeerRow[] => statements.listed.all({ seenAfter }),
    online: (): PeerRow[] => statements.online.all({}),
    /** Seats changed after a cursor, oldest change first, at most `limit`. */
    changedSince: (cursor: number, limit: number): PeerRow[] => statements.changed.all({ cursor, limit }),
    named: (name: string): PeerRow[] => statements.named.all({ name }),
    names: (): PeerRow[] => statements.listed.all({ seenAfter: 0 }),
    setOnline(id: string, online: boolean) {
      const seq = nextSeq()
      const turned = statements.turn.run({ id, online: Number(online), seenAt: now(), seq })
      if (turned.changes > 0) bell.note(PEERS_TOPIC)
    },
    setSummary(id: string, summary: string) {
      statements.summarize.run({ id, summary })
      touch(id)
    },
    /** Says that the session of this seat now has another id, as after `/clear`. */
    bindSession(id: string, sessionId: string) {
      statements.setSession.run({ id, sessionId })
      statements.remember.run({ id, sessionId, boundAt: now() })
      touch(id)
    },
    hasBeen: (id: string, sessionId: string) => statements.remembered.get({ id, sessionId }) !== undefined,
    counts: () => statements.counts.get({})!,
  }
}

function prepare(connection: Connection) {
  const { orm } = connection
  const rows = selectPeers(connection)
  const id = sql.placeholder('id')
  const sessionId = sql.placeholder('sessionId')
  return {
    ...rows,
    touch: orm
      .update(peers)
      .set({
        seenAt: sql`${sql.placeholder('seenAt')}`,
        changedSeq: sql`${sql.placeholder('changedSeq')}`,
      })
      .where(eq(peers.id, id))
      .prepare(),
    turn: orm
      .update(peers)
      .set({
        online: sql`${sql.placeholder('online')}`,
        seenAt: sql`${sql.placeholder('seenAt')}`,
        onlineSeq: sql`${sql.placeholder('seq')}`,
        changedSeq: sql`${sql.placeholder('seq')}`,
      })
      .where(and(eq(peers.id, id), sql`${peers.online} <> ${sql.placeholder('online')}`))
      .prepare(),
    summarize: orm
      .update(peers)
      .set({ summary: sql`${sql.placeholder('summary')}` })
      .where(eq(peers.id, id))
      .prepare(),
    setSession: orm
      .update(peers)
      .set({ sessionId: sql`${sessionId}` })
      .where(eq(peers.id, id))
      .prepare(),
    remember: orm
      .insert(sessions)
      .values({ sessionId, peerId: id, boundAt: sql.placeholder('boundAt') })
      .onConflictDoUpdate({
        target: [sessions.sessionId, sessions.peerId],
        set: { boundAt: sql`excluded.bound_at` },
      })
      .prepare(),
    remembered: orm
      .select({ peerId: sessions.peerId })
      .from(sessions)
      .where(and(eq(sessions.sessionId, sessionId), eq(sessions.peerId, id)))
      .prepare(),
    counts: orm
      .select({
        online: sql<number>`coalesce(sum(${peers.online}), 0)`,
        known: sql<number>`count(*)`,
      })
      .from(peers)
      .prepare(),
  }
}
