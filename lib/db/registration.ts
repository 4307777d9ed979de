/**
 * Which seat a session gets. In this order: the one its Claude process already holds; the one that its session id
 * was bound to, if nobody alive holds it (`--resume`); one on this machine for the same repository whose session is
 * gone, so that the name and the waiting mail go to the successor; else a new one. Run it inside one transaction.
 */
import { eq } from 'drizzle-orm'
import { MESSAGES_TOPIC, PEERS_TOPIC } from './bell.ts'
import type { Connection } from './connection.ts'
import { createSecret, hashKey, toPeerId } from './keys.ts'
import { toName, uniqueName } from './names.ts'
import { selectPeers, type PeerRow } from './peer-rows.ts'
import { machines, peers, sessions } from './schema.ts'

/** What a session says of itself. `pidStart` is an opaque token that differs when a pid is reused. */
export type Registration = {
  machine: { id: string; host: string }
  kind: 'session' | 'user'
  root: string
  cwd: string
  isRepo: boolean
  branch?: string | undefined
  summary: string
  pid?: number | undefined
  pidStart?: string | undefined
  sessionId?: string | undefined
}

/** How the seat was found. */
export type SeatOrigin = 'same-process' | 'resumed' | 'succeeded' | 'new'
export type Registered = { peer: PeerRow; origin: SeatOrigin; secret?: string }

export type RegistrationOptions = {
  /** Whether somebody alive holds the seat: such a seat is never given away. */
  isHeld: (peer: PeerRow) => boolean
  /** The seat whose key the caller presented and proved: it keeps that key. */
  keyFor?: string | undefined
}

/** Makes the registration of one connection. Without a kept key, the result carries a new `secret`. */
export function createRegistration(connection: Connection) {
  const { orm, now, nextSeq, bell } = connection
  const reads = selectPeers(connection)

  function findSeat(
    wanted: Registration,
    isHeld: (peer: PeerRow) => boolean,
  ): [PeerRow, SeatOrigin] | undefined {
    const machineId = wanted.machine.id
    if (wanted.kind === 'user') {
      const own = reads.ofMachine.all({ machineId }).find((peer) => peer.kind === 'user')
      return own && [own, 'same-process']
    }
    if (wanted.pid !== undefined) {
      const same = reads.ofProcess
        .all({ machineId, pid: wanted.pid })
        .find((peer) => peer.pidStart === (wanted.pidStart ?? null))
      if (same) return [same, 'same-process']
    }
    if (wanted.sessionId !== undefined) {
      const seats = reads.ofSession.all({ machineId, sessionId: wanted.sessionId })
      const resumed = seats.find((peer) => !isHeld(peer))
      if (resumed) return [resumed, 'resumed']
    }
    const left = reads.ofRoot.all({ machineId, root: wanted.root }).find((peer) => !isHeld(peer))
    return left && [left, 'succeeded']
  }

  function createSeat(wanted: Registration): PeerRow {
    const taken = new Set(reads.ofMachine.all({ machineId: wanted.machine.id }).map((peer) => peer.name))
    const id = toPeerId()
    orm
      .insert(peers)
      .values({
        ...toColumns(wanted),
        id,
        machineId: wanted.machine.id,
        kind: wanted.kind,
        name: wanted.kind === 'user' ? 'user' : uniqueName(wanted.root, (name) => taken.has(name)),
        summary: wanted.summary,
        keyHash: '',
        online: false,
        onlineSeq: 0,
        seenAt: now(),
        heldSince: now(),
        createdAt: now(),
        changedSeq: nextSeq(),
      })
      .run()
    return reads.byId.get({ id })!
  }

  return function register(wanted: Registration, options: RegistrationOptions): Registered {
    noteMachine(wanted.machine)
    const found = findSeat(wanted, options.isHeld)
    const [seat, origin] = found ?? [createSeat(wanted), 'new' as const]
    const keepsKey = options.keyFor === seat.id
    const secret = keepsKey ? undefined : createSecret()
    // The process that stays knows less than we do: its session id may be from before a `/clear`.
    const stale = origin === 'same-process' && seat.sessionId !== null
    const sessionId = stale ? seat.sessionId : (wanted.sessionId ?? null)
    orm
      .update(peers)
      .set({
        ...toColumns(wanted),
        sessionId,
        seenAt: now(),
        changedSeq: nextSeq(),
        ...(secret && { keyHash: hashKey(secret) }),
        ...(origin === 'succeeded' && { heldSince: now(), summary: wanted.summary }),
      })
      .where(eq(peers.id, seat.id))
      .run()
    if (sessionId !== null && !stale) {
      orm
        .insert(sessions)
        .values({ sessionId, peerId: seat.id, boundAt: now() })
        .onConflictDoUpdate({ target: [sessions.sessionId, sessions.peerId], set: { boundAt: now() } })
        .run()
    }
    bell.note(PEERS_TOPIC)
    bell.note(MESSAGES_TOPIC)
    return { peer: reads.byId.get({ id: seat.id })!, origin, ...(secret && { secret }) }
  }

  function noteMachine({ id, host }: { id: string; host: string }) {
    const values = { id, host: toName(host), createdAt: now(), seenAt: now() }
    orm
      .insert(machines)
      .values(values)
      .onConflictDoUpdate({ target: machines.id, set: { host: values.host, seenAt: values.seenAt } })
      .run()
  }
}

function toColumns(wanted: Registration) {
  return {
    root: wanted.root,
    cwd: wanted.cwd,
    isRepo: wanted.isRepo,
    branch: wanted.branch ?? null,
    pid: wanted.pid ?? null,
    pidStart: wanted.pidStart ?? null,
    sessionId: wanted.sessionId ?? null,
  }
}
