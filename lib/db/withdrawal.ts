/**
 * Taking a registration back. A client's health check (`claude mcp list`) starts an MCP server, asks for its tools and
 * ends it within a second: nobody worked there, so its seat is as it was before. What that was is kept in memory alone,
 * and for a minute: a hub that was started again in between leaves the seat to a session that never was.
 */
import type { Connection } from './connection.ts'
import { MESSAGES_TOPIC, PEERS_TOPIC } from './bell.ts'
import { selectPeers, type PeerRow } from './peer-rows.ts'
import { writePeers } from './peer-writes.ts'
import type { SeatOrigin } from './registration.ts'

export type Withdrawals = ReturnType<typeof createWithdrawals>

type Former = { seat: PeerRow; isNew: boolean; newSession: string | undefined; at: number }

const KEPT_MS = 60_000

/** Makes the memory of registrations and their withdrawal. Both belong inside `queue.run`. */
export function createWithdrawals(connection: Connection, remove: (id: string) => boolean) {
  const { now, nextSeq, bell } = connection
  const reads = selectPeers(connection)
  const writes = writePeers(connection)
  const former = new Map<string, Former>()

  return {
    /** Remembers a seat as it is before a session takes it. A process that comes back has been there before. */
    note(seat: PeerRow, { origin, sessionId }: { origin: SeatOrigin; sessionId: string | undefined }) {
      for (const [id, { at }] of former) if (now() - at > KEPT_MS) former.delete(id)
      if (origin === 'same-process') return
      const isBound = sessionId !== undefined && reads.binding.get({ id: seat.id, sessionId }) !== undefined
      const newSession = isBound ? undefined : sessionId
      former.set(seat.id, { seat, isNew: origin === 'new', newSession, at: now() })
    },
    /**
     * Gives an offline seat back to what it was: removed when it was new and nobody would miss it, else with its former
     * session, whose next one gets it as if nothing had been. Returns whether that was still known.
     */
    withdraw(id: string): boolean {
      const found = former.get(id)
      former.delete(id)
      if (!found || now() - found.at > KEPT_MS) return false
      if (found.isNew) return remove(id)
      const { seat, newSession } = found
      writes.take.run({ ...seat, id, isRepo: Number(seat.isRepo), now: seat.seenAt, changedSeq: nextSeq() })
      if (newSession !== undefined) writes.forgetSession.run({ id, sessionId: newSession })
      bell.note(PEERS_TOPIC)
      bell.note(MESSAGES_TOPIC)
      return true
    },
  }
}
