import type { Database } from '#db/open'
import type { SeatRow } from '#db/peer-rows'
import type { Stats } from './shapes/hub.ts'
import type { Activity } from './shapes/peers.ts'

export type { Activity }

/** What a procedure knows of its caller and its hub. Nothing of it comes from a body. */
export type Context = {
  database: Database
  hub: Hub
  /** The proven or unproven mailbox key of the caller, `<peer id>.<secret>`. */
  key: string | undefined
  caller: Caller
  /** Takes one call from what the caller may make now; set for WebSockets, whose calls nobody else counts. */
  mayCall?: (() => boolean) | undefined
  /** Takes further calls from what the caller may make, also those that it does not have yet; set for other machines. */
  charge?: ((calls: number) => void) | undefined
  /** Resolves when a query may be answered: after those before it, once their answers are taken; set for WebSockets of others. */
  turn?: () => Promise<void>
  /** What the key was found to match before, as it is the same for all calls of a connection; set for WebSockets. */
  proof?: { keyHash: string | undefined } | undefined
  /** How many feeds the caller's connection follows now; set for WebSockets. */
  feeds?: { open: number } | undefined
}

/**
 * Who calls, by the token that it sent.
 * - `local`: the token of this machine's own user, from this machine.
 * - `fleet`: the token that several machines share.
 * - `machine`: the token of one other machine; `machineId` is null until it has joined.
 * - `nobody`: none.
 */
export type Caller =
  | { kind: 'local' }
  | { kind: 'fleet' }
  | { kind: 'machine'; tokenId: string; machineId: string | null }
  | { kind: 'nobody' }

/** What the process around the router provides. */
export type Hub = {
  version: string
  machineId: string
  /** The label of its machine. */
  host: string
  /** The home directory of its user. */
  home: string
  stats: () => Pick<Stats, 'pid' | 'start' | 'namespace' | 'startedAt' | 'sockets' | 'reach'>
  /** Where other machines reach it; empty when they cannot. */
  urls: () => string[]
  /** Closes the sockets that the token of a machine opened, at once; says how many. */
  disconnect: (tokenId: string) => number
  /** How many sockets the token of a machine has open. */
  socketsOf: (tokenId: string) => number
  /** Whoever started it looks after it: it hands over to no other. */
  foreground: boolean
  /** Ends the process after the answer. */
  stop: (reason: 'asked' | 'handover') => void
  /** Whether the process that holds this seat still runs: known only for the hub's own machine. */
  isRunning: (peer: SeatRow) => boolean | undefined
  presence: Presence
  /** Whether it tells the person of mail that stays unread, as far as the last attempt showed. */
  notifies: () => boolean
}

/** Who is connected. A peer is online while a link is open, and a moment longer. */
export type Presence = {
  /** A session has registered; its link is about to open. */
  arrived(peerId: string): void
  opened(peerId: string): void
  closed(peerId: string): void
  /** The peer says goodbye: it is offline at once, without a grace, unless it has more than one link. */
  left(peerId: string): Promise<void>
  /** Keeps what a session says that it does while it is online; what anybody else says is not kept. */
  setActivity(peerId: string, activity: Activity): void
  /** What a session does; `undefined`: it is offline, or has not told this hub yet. */
  activityOf(peerId: string): Activity | undefined
  /** Whose activity changed after a cursor, oldest change first. */
  activitiesSince(cursor: number): ActivityChange[]
}

/** `changedSeq`: its place among the changes of rows. */
export type ActivityChange = { peerId: string; changedSeq: number }

/** Whether somebody alive holds the seat: such a seat is never given to another session. */
export function isHeld(hub: Hub, peer: SeatRow): boolean {
  return hub.isRunning(peer) ?? peer.online
}
