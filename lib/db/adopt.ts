/**
 * Taking over the database of claude-peers v1 or v2 (Bun). Its file stays whole as the backup; every message comes
 * along: queued mail waits again, with a new 48 hours, delivered mail becomes history. Its sessions become seats
 * without a session, so the next session in the same repository inherits the name and the mail.
 */
import { randomBytes } from 'node:crypto'
import type Sqlite from 'better-sqlite3'
import { drizzle, type BetterSQLite3Database } from 'drizzle-orm/better-sqlite3'
import { sql } from 'drizzle-orm'
import { MESSAGE_TTL_MS } from './limits.ts'
import { toName, uniqueName } from './names.ts'
import { hashKey, toPeerId } from './keys.ts'
import { toPastTime } from './old-time.ts'
import { deliveries, machines, messages, peers } from './schema.ts'

type OldPeer = {
  id: string
  name?: string | null
  cwd?: string | null
  git_root?: string | null
  summary?: string | null
  last_seen?: unknown
  host?: string | null
  machine_id?: string | null
}
type OldMessage = {
  id: number
  from_id: string
  to_id: string
  text: string | number | Uint8Array | null
  sent_at?: unknown
  delivered?: number | null
  status?: string | null
  delivered_at?: unknown
}

export type Adoption = {
  old: Sqlite.Database
  /** The freshly migrated database that takes everything over. */
  sqlite: Sqlite.Database
  now: number
  machine: { id: string; host: string }
}

/** Stands for a machine that v2 knew by its label alone, until that machine registers and says its id. */
export const formerMachineId = (host: string) => `v2:${host}`

/** Whether the open database has the tables of claude-peers v1 or v2. */
export function isPredecessor(sqlite: Sqlite.Database): boolean {
  const has = (table: string, wanted: string[]) => {
    const columns = sqlite.pragma(`table_info(${table})`) as { name: string }[]
    return wanted.every((name) => columns.some((column) => column.name === name))
  }
  return (
    has('messages', ['id', 'from_id', 'to_id', 'text', 'delivered']) &&
    has('peers', ['id', 'cwd', 'git_root'])
  )
}

/** Copies every peer and message of the old database, in one transaction. */
export function adoptPredecessor({ old, sqlite, now, machine }: Adoption): void {
  const oldPeers = old.prepare('select * from peers').all() as OldPeer[]
  const oldMessages = old.prepare('select * from messages order by id').all() as OldMessage[]
  const write = prepare(drizzle(sqlite))
  const machineOf = toMachines(oldPeers, machine)
  let changedSeq = 0

  sqlite.transaction(() => {
    const seats = new Map<string, string>()
    const taken = new Set<string>()
    for (const peer of withForgotten(oldPeers, oldMessages)) {
      const { id: machineId, host } = machineOf(peer)
      const row = toSeat(peer, { machineId, now, isTaken: (name) => taken.has(`${name}@${machineId}`) })
      taken.add(`${row.name}@${machineId}`)
      seats.set(peer.id, row.id)
      write.machine.run({ id: machineId, host, now })
      write.peer.run({ ...row, changedSeq: ++changedSeq })
    }
    for (const message of oldMessages) {
      const senderId = seats.get(message.from_id)
      const recipientId = seats.get(message.to_id)
      write.message.run({ ...toMessage(message, now), senderId })
      const delivery = toDelivery(message, now)
      write.delivery.run({ ...delivery, senderId, recipientId, changedSeq: ++changedSeq })
    }
    keepNumbering(old, sqlite)
  })()
}

/** v2 deletes the row of a peer whose process died, but keeps mail for it: such a peer still needs a seat. */
function withForgotten(oldPeers: OldPeer[], oldMessages: OldMessage[]): OldPeer[] {
  const known = new Set(oldPeers.map((peer) => peer.id))
  const mentioned = new Set(oldMessages.flatMap((message) => [message.from_id, message.to_id]))
  const forgotten = [...mentioned].filter((id) => !known.has(id))
  return [...oldPeers, ...forgotten.map((id) => ({ id, name: `v2-${id}` }))]
}

/**
 * Where a peer lives. Some versions kept only the label of a machine: the peers of another machine must not become
 * seats of this one, whose next session at the same path would get their mail.
 */
function toMachines(oldPeers: OldPeer[], own: { id: string; host: string }) {
  const hosts = new Map([[own.id, toName(own.host)]])
  for (const { machine_id: id, host } of oldPeers) {
    if (id && !hosts.has(id)) hosts.set(id, toName(host || id))
  }
  const ids = new Map([...hosts].toReversed().map(([id, host]) => [host, id]))
  return (peer: OldPeer): { id: string; host: string } => {
    if (peer.machine_id) return { id: peer.machine_id, host: hosts.get(peer.machine_id)! }
    const host = toName(peer.host || own.host)
    return { id: ids.get(host) ?? formerMachineId(host), host }
  }
}

function toSeat(
  peer: OldPeer,
  { machineId, now, isTaken }: { machineId: string; now: number; isTaken: (name: string) => boolean },
) {
  const root = peer.git_root || peer.cwd || `v2:${peer.id}`
  const seenAt = toPastTime(peer.last_seen, now) ?? now
  return {
    id: toPeerId(),
    machineId,
    name: uniqueName(peer.name || root, isTaken),
    root,
    cwd: peer.cwd || root,
    isRepo: Boolean(peer.git_root),
    summary: peer.summary || '',
    keyHash: hashKey(randomBytes(32).toString('base64url')),
    seenAt,
  }
}

function toMessage(old: OldMessage, now: number) {
  const body = toText(old.text)
  return {
    id: old.id,
    idempotencyKey: `v2:${old.id}`,
    body,
    chars: body.length,
    createdAt: toPastTime(old.sent_at, now) ?? now,
  }
}

/** Delivered is what one of its versions said so of; a state that none of them knew waits again, rather than be lost. */
function toDelivery(old: OldMessage, now: number) {
  const queuedAt = toPastTime(old.sent_at, now) ?? now
  const isDelivered = old.delivered === 1 || old.status === 'delivered'
  return {
    messageId: old.id,
    state: isDelivered ? 'delivered' : 'queued',
    attempts: Number(isDelivered),
    queuedAt,
    settledAt: isDelivered ? (toPastTime(old.delivered_at, now) ?? queuedAt) : null,
    expiresAt: now + MESSAGE_TTL_MS,
  }
}

function toText(text: OldMessage['text']): string {
  const body = text instanceof Uint8Array ? Buffer.from(text).toString('utf8') : String(text ?? '')
  return body || '(empty message)'
}

/** A message's number is never given again, also when the newest messages were deleted. */
function keepNumbering(old: Sqlite.Database, sqlite: Sqlite.Database) {
  if (!old.prepare("select 1 from sqlite_master where name = 'sqlite_sequence'").get()) return
  const last = old.prepare("select seq from sqlite_sequence where name = 'messages'").pluck().get()
  if (typeof last !== 'number') return
  sqlite.prepare("delete from sqlite_sequence where name = 'messages'").run()
  sqlite.prepare("insert into sqlite_sequence (name, seq) values ('messages', ?)").run(last)
}

function prepare(orm: BetterSQLite3Database) {
  const value = sql.placeholder
  return {
    machine: orm
      .insert(machines)
      .values({ id: value('id'), host: value('host'), createdAt: value('now'), seenAt: value('now') })
      .onConflictDoNothing()
      .prepare(),
    peer: orm
      .insert(peers)
      .values({
        id: value('id'),
        machineId: value('machineId'),
        kind: 'session',
        name: value('name'),
        root: value('root'),
        cwd: value('cwd'),
        isRepo: value('isRepo'),
        summary: value('summary'),
        keyHash: value('keyHash'),
        online: false,
        onlineSeq: 0,
        seenAt: value('seenAt'),
        heldSince: value('seenAt'),
        createdAt: value('seenAt'),
        changedSeq: value('changedSeq'),
      })
      .prepare(),
    message: orm
      .insert(messages)
      .values({
        id: value('id'),
        senderId: value('senderId'),
        idempotencyKey: value('idempotencyKey'),
        body: value('body'),
        chars: value('chars'),
        urgency: 'normal',
        createdAt: value('createdAt'),
      })
      .prepare(),
    delivery: orm
      .insert(deliveries)
      .values({
        messageId: value('messageId'),
        recipientId: value('recipientId'),
        senderId: value('senderId'),
        state: value('state'),
        attempts: value('attempts'),
        queuedAt: value('queuedAt'),
        settledAt: value('settledAt'),
        expiresAt: value('expiresAt'),
        changedSeq: value('changedSeq'),
      })
      .prepare(),
  }
}
