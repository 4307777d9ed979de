/**
 * Taking over the database of claude-peers v1 or v2 (Bun). Its file stays whole as the backup; every message comes
 * along: queued mail waits again, with a new 48 hours, delivered mail becomes history. Its sessions become seats
 * without a session, so the next session in the same repository inherits the name and the mail.
 */
import { randomBytes } from 'node:crypto'
import Sqlite from 'better-sqlite3'
import { drizzle, type BetterSQLite3Database } from 'drizzle-orm/better-sqlite3'
import { MESSAGE_TTL_MS } from './limits.ts'
import { toName, uniqueName } from './names.ts'
import { hashKey, toPeerId } from './keys.ts'
import { deliveries, machines, messages, peers } from './schema.ts'

type OldPeer = {
  id: string
  name?: string | null
  cwd?: string | null
  git_root?: string | null
  summary?: string | null
  last_seen?: string | null
  host?: string | null
  machine_id?: string | null
}
type OldMessage = {
  id: number
  from_id: string
  to_id: string
  text: string
  sent_at?: string | null
  delivered?: number | null
  status?: string | null
  delivered_at?: string | null
}

/** Stands for a machine that v2 knew by its label alone, until that machine registers and says its id. */
export const formerMachineId = (host: string) => `v2:${host}`

/** Whether the open database has the tables of claude-peers v1 or v2. */
export function isPredecessor(sqlite: Sqlite.Database): boolean {
  const columns = sqlite.pragma('table_info(messages)') as { name: string }[]
  const names = new Set(columns.map((column) => column.name))
  return ['from_id', 'to_id', 'text', 'delivered'].every((name) => names.has(name))
}

/** Copies every peer and message of the old file `from` into the freshly migrated file `to`, in one transaction. */
export function adoptPredecessor(options: {
  from: string
  to: string
  now: number
  machine: { id: string; host: string }
}): void {
  const old = new Sqlite(options.from, { timeout: 5_000 })
  const sqlite = new Sqlite(options.to, { timeout: 5_000 })
  try {
    const oldMessages = old.prepare('select * from messages order by id').all() as OldMessage[]
    const oldPeers = old.prepare('select * from peers').all() as OldPeer[]
    const orm = drizzle(sqlite)
    sqlite.transaction(() => {
      const seats = adoptPeers(orm, withForgotten(oldPeers, oldMessages), options)
      for (const message of oldMessages) adoptMessage(orm, message, seats, options.now)
    })()
  } finally {
    old.close()
    sqlite.close()
  }
}

/** v2 deletes the row of a peer whose process died, but keeps mail for it: such a peer still needs a seat. */
function withForgotten(oldPeers: OldPeer[], oldMessages: OldMessage[]): OldPeer[] {
  const known = new Set(oldPeers.map((peer) => peer.id))
  const mentioned = new Set(oldMessages.flatMap((message) => [message.from_id, message.to_id]))
  return [
    ...oldPeers,
    ...[...mentioned].filter((id) => !known.has(id)).map((id) => ({ id, name: `v2-${id}` })),
  ]
}

function adoptPeers(
  orm: BetterSQLite3Database,
  oldPeers: OldPeer[],
  { now, machine }: { now: number; machine: { id: string; host: string } },
): Map<string, string> {
  const seats = new Map<string, string>()
  const taken = new Map<string, Set<string>>()
  for (const peer of oldPeers) {
    const machineId = peer.machine_id || machine.id
    const host = toName(peer.host || machine.host)
    orm
      .insert(machines)
      .values({ id: machineId, host, createdAt: now, seenAt: now })
      .onConflictDoNothing()
      .run()
    const names = taken.get(machineId) ?? new Set()
    taken.set(machineId, names)
    const root = peer.git_root || peer.cwd || `v2:${peer.id}`
    const name = uniqueName(peer.name || root, (candidate) => names.has(candidate))
    names.add(name)
    const id = toPeerId()
    const seenAt = toTime(peer.last_seen, now)
    orm
      .insert(peers)
      .values({
        id,
        machineId,
        kind: 'session',
        name,
        root,
        cwd: peer.cwd || root,
        isRepo: Boolean(peer.git_root),
        summary: peer.summary || '',
        keyHash: hashKey(randomBytes(32).toString('base64url')),
        online: false,
        onlineSeq: 0,
        seenAt,
        heldSince: seenAt,
        createdAt: seenAt,
        changedSeq: 0,
      })
      .run()
    seats.set(peer.id, id)
  }
  return seats
}

function adoptMessage(orm: BetterSQLite3Database, old: OldMessage, seats: Map<string, string>, now: number) {
  const senderId = seats.get(old.from_id)!
  const createdAt = toTime(old.sent_at, now)
  const delivered = old.status ? old.status !== 'queued' : old.delivered === 1
  const body = old.text || '(empty message)'
  const inserted = orm
    .insert(messages)
    .values({
      id: old.id,
      senderId,
      idempotencyKey: `v2:${old.id}`,
      body,
      chars: body.length,
      urgency: 'normal',
      createdAt,
    })
    .returning({ id: messages.id })
    .get()
  orm
    .insert(deliveries)
    .values({
      messageId: inserted.id,
      recipientId: seats.get(old.to_id)!,
      senderId,
      state: delivered ? 'delivered' : 'queued',
      attempts: delivered ? 1 : 0,
      queuedAt: createdAt,
      settledAt: delivered ? toTime(old.delivered_at, createdAt) : null,
      expiresAt: now + MESSAGE_TTL_MS,
      changedSeq: 0,
    })
    .run()
}

function toTime(text: string | null | undefined, fallback: number): number {
  const time = Date.parse(text ?? '')
  return Number.isNaN(time) ? fallback : time
}
