/**
 * Which seat a session gets. In this order: the one its Claude process already holds; the one that its session id
 * was bound to, if nobody alive holds it (`--resume`); one on this machine for the same repository whose session is
 * gone, so that the name and the waiting mail go to the successor; else a new one. Run it inside one transaction.
 */
import { mailboxTopic, MESSAGES_TOPIC, PEERS_TOPIC } from './bell.ts'
import type { Connection } from './connection.ts'
import { createSecret, hashKey, toPeerId } from './keys.ts'
import { createMachines } from './machines.ts'
import { uniqueName, USER_NAME } from './names.ts'
import { selectPeers, type PeerRow } from './peer-rows.ts'
import { writePeers } from './peer-writes.ts'

/** What a session says of itself. `pidStart` and `pidNamespace` are opaque: see `registerInput`. */
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
  pidNamespace?: string | undefined
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
  const { now, nextSeq, bell } = connection
  const reads = selectPeers(connection)
  const writes = writePeers(connection)
  const machines = createMachines(connection)

  function findSeat(
    wanted: Registration,
    isHeld: (peer: PeerRow) => boolean,
  ): [PeerRow, SeatOrigin] | undefined {
    const machineId = wanted.machine.id
    if (wanted.kind === 'user') {
      const own = reads.ofName.get({ machineId, name: USER_NAME })
      return own && [own, 'same-process']
    }
    if (wanted.pid !== undefined) {
      const same = reads.ofProcess
        .all({ machineId, pid: wanted.pid })
        .find((peer) => isSameProcess(peer, wanted))
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

  function freeName(machineId: string, text: string): string {
    return uniqueName(text, (name) => reads.ofName.get({ machineId, name }) !== undefined)
  }

  function createSeat(wanted: Registration): PeerRow {
    const id = toPeerId()
    writes.create.run({
      ...toColumns(wanted),
      id,
      machineId: wanted.machine.id,
      kind: wanted.kind,
      name: wanted.kind === 'user' ? USER_NAME : freeName(wanted.machine.id, wanted.root),
      summary: wanted.summary,
      now: now(),
      changedSeq: nextSeq(),
    })
    return reads.byId.get({ id })!
  }

  return function register(wanted: Registration, options: RegistrationOptions): Registered {
    machines.note(wanted.machine)
    const found = findSeat(wanted, options.isHeld)
    const [seat, origin] = found ?? [createSeat(wanted), 'new' as const]
    const keepsKey = options.keyFor === seat.id
    const secret = keepsKey ? undefined : createSecret()
    const sessionId = origin === 'same-process' ? newerSession(seat, wanted) : (wanted.sessionId ?? null)
    const isNewHolder = origin === 'succeeded'
    writes.take.run({
      ...toColumns(wanted),
      id: seat.id,
      isRepo: Number(wanted.isRepo),
      sessionId,
      now: now(),
      changedSeq: nextSeq(),
      keyHash: secret === undefined ? seat.keyHash : hashKey(secret),
      heldSince: isNewHolder ? now() : seat.heldSince,
      summary: isNewHolder ? wanted.summary : seat.summary,
    })
    if (sessionId !== null && sessionId === wanted.sessionId) {
      writes.rememberSession.run({ id: seat.id, sessionId, now: now() })
    }
    bell.note(PEERS_TOPIC)
    bell.note(MESSAGES_TOPIC)
    // Whoever listens with the key from before hears that it is over.
    if (secret !== undefined) bell.note(mailboxTopic(seat.id))
    return { peer: reads.byId.get({ id: seat.id })!, origin, ...(secret && { secret }) }
  }

  /** A process may still say the id from before a `/clear`; one that its seat never had can only be newer. */
  function newerSession({ id, sessionId }: PeerRow, wanted: Registration): string | null {
    if (wanted.sessionId === undefined) return sessionId
    return reads.binding.get({ id, sessionId: wanted.sessionId }) ? sessionId : wanted.sessionId
  }
}

/** Without a start time a reused pid looks the same: then only a successor's right to the seat is given. */
function isSameProcess(peer: PeerRow, wanted: Registration): boolean {
  if (peer.pidNamespace !== (wanted.pidNamespace ?? null)) return false
  if (wanted.pidStart === undefined) return peer.pidStart === null && peer.root === wanted.root
  return peer.pidStart === wanted.pidStart
}

function toColumns(wanted: Registration) {
  return {
    root: wanted.root,
    cwd: wanted.cwd,
    isRepo: wanted.isRepo,
    branch: wanted.branch ?? null,
    pid: wanted.pid ?? null,
    pidStart: wanted.pidStart ?? null,
    pidNamespace: wanted.pidNamespace ?? null,
    sessionId: wanted.sessionId ?? null,
  }
}
