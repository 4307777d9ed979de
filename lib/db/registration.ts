/**
 * Which seat a session gets. In this order: the one its Claude process already holds; one that its session id was bound
 * to, if nobody alive holds it (`--resume`); one on this machine for the same repository whose session is gone, so that
 * the name and the waiting mail go to the successor; one of a repository that was moved here; else a new one. Of several,
 * the one with waiting mail, then the oldest. Run it inside one transaction.
 */
import { mailboxTopic, MESSAGES_TOPIC, PEERS_TOPIC } from './bell.ts'
import type { Connection } from './connection.ts'
import { createSecret, hashKey, toPeerId } from './keys.ts'
import { createMachines } from './machines.ts'
import { uniqueName, USER_NAME } from './names.ts'
import { selectPeers, type PeerRow } from './peer-rows.ts'
import { writePeers } from './peer-writes.ts'
import type { Withdrawals } from './withdrawal.ts'

/** What a session says of itself. `pidStart` and `pidNamespace` are opaque: see `registerInput`. */
export type Registration = {
  machine: { id: string; host: string; home?: string | undefined }
  kind: 'session' | 'user'
  root: string
  cwd: string
  repository?: string | undefined
  remote?: string | undefined
  place?: string | undefined
  /** Roots of before that its machine has looked for and that are gone. */
  formerRoots?: string[] | undefined
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

type Reads = ReturnType<typeof selectPeers>

/** The seats of the machine that may be of the same project, wherever that was, the one with waiting mail first. */
const projectSeats = (
  reads: Reads,
  { machine, place, remote }: Pick<Registration, 'machine' | 'place' | 'remote'>,
): PeerRow[] =>
  place === undefined && remote === undefined
    ? []
    : reads.ofProject.all({ machineId: machine.id, place: place ?? null, remote: remote ?? null })

/**
 * Makes the look for roots of before: where sessions of the same project worked whose seat is free. Their machine has to
 * say which of them are gone.
 */
export function createFormerRoots(connection: Connection) {
  const reads = selectPeers(connection)
  return (wanted: Pick<Registration, 'machine' | 'root' | 'place' | 'remote'>): FormerRoot[] => {
    const seats = projectSeats(reads, wanted).filter(
      (peer) => peer.home !== wanted.root && isSameProject(peer, wanted),
    )
    const roots = new Map(seats.map(({ home, place }) => [home, place !== null && place === wanted.place]))
    return [...roots].slice(0, MOST_FORMER).map(([root, isSamePlace]) => ({ root, isSamePlace }))
  }
}

const MOST_FORMER = 50

/** `isSamePlace`: its `.git` was the very same. */
export type FormerRoot = { root: string; isSamePlace: boolean }

/** Makes the registration of one connection. Without a kept key, the result carries a new `secret`. */
export function createRegistration(connection: Connection, withdrawals: Withdrawals) {
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
    const left =
      reads.ofHome
        .all({ machineId, home: wanted.root })
        .find((peer) => !isHeld(peer) && isSamePlace(peer, wanted)) ??
      projectSeats(reads, wanted).find((peer) => !isHeld(peer) && hasMoved(peer, wanted))
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
      home: wanted.root,
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
    const home = isNewHolder || hasMoved(seat, wanted) ? wanted.root : seat.home
    withdrawals.note(seat, { origin, sessionId: wanted.sessionId })
    writes.take.run({
      ...toColumns(wanted),
      id: seat.id,
      home,
      // What its home is known by, and not where the session goes on.
      ...(home !== wanted.root && { remote: seat.remote, place: seat.place }),
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

/** Two containers that share a home may have other projects at one path: only in one namespace a path is enough. */
function isSamePlace(peer: PeerRow, wanted: Registration): boolean {
  if (isSameProject(peer, wanted)) return true
  const isSeen = peer.pid === null || peer.pidNamespace === (wanted.pidNamespace ?? null)
  return isSeen && !isOtherProject(peer, wanted)
}

/** Whether another repository has taken the path. A new clone of the same origin is the same project. */
function isOtherProject(peer: PeerRow, { isRepo, place, remote }: Registration): boolean {
  if (!isRepo || !peer.isRepo || peer.place === null || place === undefined) return false
  return peer.place !== place && (remote === undefined || peer.remote !== remote)
}

/** Whether the seat's project is the wanted one and was moved: its root is gone, as seen from where its session ran. */
function hasMoved(peer: PeerRow, wanted: Registration): boolean {
  const isGone = wanted.formerRoots?.includes(peer.home) === true
  return isGone && peer.pidNamespace === (wanted.pidNamespace ?? null) && isSameProject(peer, wanted)
}

/** By its place on the disk, or by its origin and its directory's name. A name alone proves nothing. */
function isSameProject(
  peer: PeerRow,
  { place, remote, root }: Pick<Registration, 'place' | 'remote' | 'root'>,
): boolean {
  if (place !== undefined && peer.place === place) return true
  return remote !== undefined && peer.remote === remote && toBaseName(peer.home) === toBaseName(root)
}

const toBaseName = (path: string) => path.split(/[/\\]/).at(-1)

function toColumns(wanted: Registration) {
  return {
    root: wanted.root,
    cwd: wanted.cwd,
    repository: wanted.repository ?? null,
    remote: wanted.remote ?? null,
    place: wanted.place ?? null,
    isRepo: wanted.isRepo,
    branch: wanted.branch ?? null,
    pid: wanted.pid ?? null,
    pidStart: wanted.pidStart ?? null,
    pidNamespace: wanted.pidNamespace ?? null,
    sessionId: wanted.sessionId ?? null,
  }
}
