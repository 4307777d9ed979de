/**
 * The least that an exchange of mail costs in SQLite, of the same durability: one table without a second index, in which a
 * message is stored, offered and settled by its number, by statements written by hand; no limits, receipts or feeds.
 */
import type Sqlite from 'better-sqlite3'
import { createBell } from '../../lib/db/bell.ts'
import { createCommitQueue } from '../../lib/db/commit-queue.ts'
import { openSqlite } from '../../lib/db/connection.ts'

export type PlainExchange = Disposable & {
  sqlite: Sqlite.Database
  send(sender: string, recipient: string, body: string): Promise<number>
  consume(messageId: number): Promise<string>
  acknowledge(messageId: number): Promise<number>
}

export function openPlainExchange(file: string): PlainExchange {
  const sqlite = openSqlite(file)
  sqlite.exec(`create table mail (
    id integer primary key, sender text not null, recipient text not null, body text not null,
    state text not null, offer text, changed_at integer not null
  )`)
  const queue = createCommitQueue(sqlite, createBell())
  const insert = sqlite.prepare(
    `insert into mail (sender, recipient, body, state, changed_at) values (?, ?, ?, 'queued', ?)`,
  )
  const offer = sqlite.prepare(`update mail set state = 'offered', offer = ?, changed_at = ? where id = ?`)
  const read = sqlite.prepare(`select body from mail where id = ?`).pluck()
  const settle = sqlite.prepare(`update mail set state = 'delivered', changed_at = ? where id = ?`)
  return {
    sqlite,
    send: (sender, recipient, body) =>
      queue.run(() => Number(insert.run(sender, recipient, body, Date.now()).lastInsertRowid)),
    consume: (messageId) =>
      queue.run(() => {
        offer.run('offer', Date.now(), messageId)
        return read.get(messageId) as string
      }),
    acknowledge: (messageId) => queue.run(() => settle.run(Date.now(), messageId).changes),
    [Symbol.dispose]: () => void sqlite.close(),
  }
}
