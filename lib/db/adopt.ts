/**
 * Taking over the database of claude-peers v1 or v2 (Bun). Its file stays whole as the backup; every message comes
 * along: queued mail waits again, with its whole time anew, delivered mail becomes history. Its sessions become seats
 * without a session, so the next session in the same repository inherits the name and the mail.
 */
import type Sqlite from 'better-sqlite3'
import { drizzle, type BetterSQLite3Database } from 'drizzle-orm/better-sqlite3'
import { sql } from 'drizzle-orm'
import {
  toDelivery,
  toMachines,
  toMessage,
  toSeat,
  withForgotten,
  type OldMessage,
  type OldPeer,
} from './old-rows.ts'
import { MESSAGE_TTL_MS } from './limits.ts'
import { deliveries, machines, messages, peers } from './schema.ts'

export type Adoption = {
  old: Sqlite.Database
  /** The freshly migrated database that takes everything over. */
  sqlite: Sqlite.Database
  now: number
  machine: { id: string; host: string }
  /** How long queued mail goes on to wait, in ms; seven days by default. */
  expireAfterMs?: number | undefined
}

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
export function adoptPredecessor(adoption: Adoption): void {
  const { old, sqlite, now, machine, expireAfterMs = MESSAGE_TTL_MS } = adoption
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
      const delivery = toDelivery(message, { now, expireAfterMs })
      write.delivery.run({ ...delivery, senderId, recipientId, changedSeq: ++changedSeq })
    }
    keepNumbering(old, sqlite)
  })()
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
        home: value('root'),
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
