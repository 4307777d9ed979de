import { join } from 'node:path'
import { newKey } from '../lib/client/key.ts'
import { openDatabase, type Database } from '../lib/db/open.ts'
import { PACKAGE_ROOT } from '../lib/machine/package.ts'

/** How a benchmark's database is filled. */
export type Filling = { peers: number; messages: number; state: 'queued' | 'delivered' }

/** Opens a file as the hub does. */
export function openBenchDatabase(file: string): Database {
  const folder = join(PACKAGE_ROOT, 'drizzle')
  return openDatabase({ file, folder, machine: { id: 'bench-machine', host: 'bench' }, now: Date.now })
    .database
}

/**
 * Adds peers; returns their ids. Those of a hub that will start should be offline: it gives what was online 15 seconds to
 * come back, and then tells everybody that it is gone.
 */
export async function addPeers(
  database: Database,
  count: number,
  { online = true, prefix = 'peer' }: { online?: boolean; prefix?: string } = {},
): Promise<string[]> {
  const ids: string[] = []
  await database.queue.run(() => {
    for (let number = 0; number < count; number++) {
      const root = `/bench/${prefix}-${number}`
      const { peer } = database.register(
        {
          machine: { id: 'bench-machine', host: 'bench' },
          kind: 'session',
          root,
          cwd: root,
          isRepo: true,
          summary: 'Working on a benchmark',
        },
        { isHeld: () => true },
      )
      database.peers.setOnline(peer.id, online)
      ids.push(peer.id)
    }
  })
  return ids
}

/** Adds messages between peers, spread evenly, past the limits that a sender has. */
export async function addMessages(
  database: Database,
  ids: string[],
  { messages, state }: Filling,
): Promise<void> {
  const insertMessage = database.sqlite.prepare(
    `insert into messages (sender_id, idempotency_key, body, chars, urgency, created_at) values (?, ?, ?, ?, 'normal', ?)`,
  )
  const insertDelivery = database.sqlite.prepare(
    `insert into deliveries (message_id, recipient_id, sender_id, state, attempts, queued_at, settled_at, expires_at, changed_seq)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  const body = 'x'.repeat(300)
  await database.queue.run(() => {
    const now = Date.now()
    for (let number = 0; number < messages; number++) {
      const sender = ids[number % ids.length]!
      const recipient = ids[(number * 7 + 1) % ids.length]!
      const { lastInsertRowid } = insertMessage.run(sender, newKey(), body, body.length, now - 120_000)
      const settledAt = state === 'queued' ? null : now - 60_000
      insertDelivery.run(
        lastInsertRowid,
        recipient,
        sender,
        state,
        state === 'queued' ? 0 : 1,
        now - 120_000,
        settledAt,
        now + 86_400_000,
        database.nextSeq(),
      )
    }
  })
}
