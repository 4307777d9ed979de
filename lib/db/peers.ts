import type { Connection } from './connection.ts'
import { PEERS_TOPIC } from './bell.ts'
import { selectPeers, type PeerRow } from './peer-rows.ts'
import { writePeers } from './peer-writes.ts'
import { createRoster } from './roster.ts'

export type Peers = ReturnType<typeof createPeers>

/** Reads and small changes of seats. All are synchronous; writes belong inside `queue.run`. */
export function createPeers(connection: Connection) {
  const { bell, nextSeq, now } = connection
  const reads = selectPeers(connection)
  const writes = writePeers(connection)
  const change = () => ({ now: now(), changedSeq: nextSeq() })

  return {
    get: (id: string): PeerRow | undefined => reads.byId.get({ id }),
    /** The seat without the count of its mail: every call asks for its caller's. */
    seat: connection.seat,
    /** The seats that matter now: online, or with mail waiting, or seen since `seenAfter`. The rows are shared. */
    list: createRoster(connection),
    /** How much mail waits for a seat, queued or on offer. */
    waiting: (id: string): number => reads.waiting.get({ id })!.count,
    online: (): PeerRow[] => reads.online.all({}),
    /** Seats changed after a cursor, oldest change first, at most `limit`. */
    changedSince: (cursor: number, limit: number): PeerRow[] => reads.changed.all({ cursor, limit }),
    named: (name: string): PeerRow[] => reads.named.all({ name }),
    setOnline(id: string, online: boolean) {
      const turned = writes.turn.run({ id, online: Number(online), ...change() })
      if (turned.changes > 0) bell.note(PEERS_TOPIC)
    },
    setSummary(id: string, summary: string) {
      writes.summarize.run({ id, summary, ...change() })
      bell.note(PEERS_TOPIC)
    },
    /** Says that the session of this seat now has another id, as after `/clear`. */
    bindSession(id: string, sessionId: string) {
      writes.setSession.run({ id, sessionId, ...change() })
      writes.rememberSession.run({ id, sessionId, now: now() })
      bell.note(PEERS_TOPIC)
    },
    counts: () => reads.counts.get({})!,
  }
}
