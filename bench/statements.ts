/** What an exchange costs in the database alone, against the least that one costs in SQLite: CPU, and pages written. */
import { statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type Sqlite from 'better-sqlite3'
import { newKey } from '../lib/client/key.ts'
import type { Database } from '../lib/db/open.ts'
import { openPlainExchange, type PlainExchange } from './baseline/plain-exchange.ts'
import { addMessages, addPeers, openBenchDatabase } from './database.ts'
import { newText } from './load.ts'
import { interleave } from './measure.ts'
import { amount } from './options.ts'
import { toRow, type Row } from './table.ts'

const ROUNDS = amount(15, 2)
/** Each group is a commit for each of its three steps. */
const GROUP = 64
const GROUPS = amount(40, 4)
const SINGLE = amount(400, 40)
/** Each sender has several recipients in turn: two peers may send each other 60 messages a minute. */
const RECIPIENTS = 32
/** Enough that every index has many pages, as after some days of work. */
const STORED = amount(20_000, 1_000)

/** Does the three steps with so many messages at once, each step in one commit. */
type Exchange = (count: number) => Promise<void>

export async function benchStatements(): Promise<Row[]> {
  const directory = await mkdtemp(join(tmpdir(), 'claude-peers-bench-'))
  const files = { own: join(directory, 'own.db'), plain: join(directory, 'plain.db') }
  const database = openBenchDatabase(files.own)
  const own = await toOwn(database)
  using bare = openPlainExchange(files.plain)
  const plain = toPlain(bare)
  const group = (exchange: Exchange) => () => cpuOf(GROUPS, () => exchange(GROUP))
  const single = (exchange: Exchange) => () => cpuOf(SINGLE, () => exchange(1))
  const samples = await interleave(
    { own: group(own), plain: group(plain), ownSingle: single(own), plainSingle: single(plain) },
    ROUNDS,
  )
  const pages = {
    own: await pagesOf(database.sqlite, files.own, () => own(GROUP)),
    plain: await pagesOf(bare.sqlite, files.plain, () => plain(GROUP)),
    ownSingle: await pagesOf(database.sqlite, files.own, () => own(1)),
    plainSingle: await pagesOf(bare.sqlite, files.plain, () => plain(1)),
  }
  database.close()
  await rm(directory, { recursive: true, force: true })
  const measure = (count: number) => `send + consume + ack in process, ${count} at once, against a bare table`
  return [
    toRow({
      measure: `${measure(GROUP)}: CPU`,
      subject: samples.own,
      baseline: samples.plain,
      unit: `ms for ${GROUPS * GROUP}`,
    }),
    toRow({
      measure: `${measure(1)}: CPU`,
      subject: samples.ownSingle,
      baseline: samples.plainSingle,
      unit: `ms for ${SINGLE}`,
    }),
    toRow({
      measure: `${measure(GROUP)}: pages written`,
      subject: [pages.own],
      baseline: [pages.plain],
      unit: '',
    }),
    toRow({
      measure: `${measure(1)}: pages written`,
      subject: [pages.ownSingle],
      baseline: [pages.plainSingle],
      unit: '',
    }),
  ]
}

async function toOwn(database: Database): Promise<Exchange> {
  const { mailbox, messages, queue } = database
  const senders = await addPeers(database, GROUP)
  const recipients = await addPeers(database, GROUP * RECIPIENTS, { prefix: 'recipient' })
  const peers = [...senders, ...recipients]
  await addMessages(database, peers, { peers: peers.length, messages: STORED, state: 'delivered' })
  let turn = 0
  return async (count) => {
    const pairs = Array.from({ length: count }, () => {
      const sender = turn % GROUP
      const recipient = sender * RECIPIENTS + (Math.floor(turn++ / GROUP) % RECIPIENTS)
      return { senderId: senders[sender]!, recipientId: recipients[recipient]! }
    })
    await all(pairs, ({ senderId, recipientId }) =>
      queue.run(() =>
        messages.send({
          senderId,
          recipientIds: [recipientId],
          idempotencyKey: newKey(),
          body: newText(),
          urgency: 'normal',
        }),
      ),
    )
    const offers = await all(pairs, ({ recipientId }) => {
      if (!mailbox.mayHaveMail(recipientId)) throw new Error('the mail is not there')
      return queue.run(() => mailbox.consume({ recipientId, budget: 8_000, overhead: 0 }))
    })
    const settled = await all(pairs, ({ recipientId }, number) =>
      queue.run(() => mailbox.acknowledge(recipientId, offers[number]!.offerId!)),
    )
    if (settled.some((changed) => changed !== 1)) throw new Error('a message was not acknowledged')
  }
}

const toPlain =
  (bare: PlainExchange): Exchange =>
  async (count) => {
    const ids = await all(Array.from({ length: count }), () => bare.send('sender', 'recipient', newText()))
    await all(ids, bare.consume)
    await all(ids, bare.acknowledge)
  }

const all = <One, Result>(
  ones: One[],
  work: (one: One, number: number) => Promise<Result>,
): Promise<Result[]> => Promise.all(ones.map(work))

/** The CPU, in ms, that doing something so often takes this process, SQLite and the kernel in it included. */
async function cpuOf(count: number, work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage()
  for (let number = 0; number < count; number++) await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

/** How many pages some work writes into the log (https://www.sqlite.org/fileformat.html#the_write_ahead_log). */
async function pagesOf(sqlite: Sqlite.Database, file: string, work: () => Promise<void>): Promise<number> {
  sqlite.pragma('wal_autocheckpoint = 0')
  sqlite.pragma('wal_checkpoint(TRUNCATE)')
  await work()
  return (statSync(`${file}-wal`).size - 32) / (4_096 + 24)
}
