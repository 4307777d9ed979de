/** How long programs take to start, and what the hub holds in memory. */
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { PACKAGE_ROOT } from '../lib/machine/package.ts'
import { runCommand } from './command.ts'
import { addMessages, addPeers, openBenchDatabase } from './database.ts'
import { databaseOf, makeHome, startBenchHub } from './hub-process.ts'
import { openPool, takeSeats } from './load.ts'
import { interleave } from './measure.ts'
import { amount } from './options.ts'
import { startSubscribers, watchMailboxes } from './subscriber-group.ts'
import { toBoundRow, toRow, type Row } from './table.ts'
import { restingMemory } from './usage.ts'

const ROUNDS = amount(15, 2)
const SESSIONS = amount(1_000, 50)
const LARGE_BYTES = amount(1e9, 2e7)
const PEERS = 1_000

export async function benchStart(): Promise<Row[]> {
  return [...(await benchMemory()), await benchHubStart(), await benchHelp()]
}

/** What the hub holds once it is at rest, alone and with the links of many sessions. */
async function benchMemory(): Promise<Row[]> {
  const idle: number[] = []
  const busy: number[] = []
  for (let round = 0; round < amount(5, 1); round++) {
    await using hub = await startBenchHub()
    idle.push(await restingMemory(hub.pid))
    await using subscribers = startSubscribers()
    using pool = openPool(hub, 64)
    await watchMailboxes(subscribers, hub, await takeSeats(pool, SESSIONS, 'session'))
    busy.push(await restingMemory(hub.pid))
  }
  const sessions = SESSIONS.toLocaleString('en')
  return [
    toBoundRow({ measure: 'hub RSS, idle', samples: idle, most: 80, unit: 'MB' }),
    toBoundRow({ measure: `hub RSS, ${sessions} sessions`, samples: busy, most: 150, unit: 'MB' }),
  ]
}

/** From the start of the process until the hub serves. */
async function benchHubStart(): Promise<Row> {
  const [empty, large] = [await makeHome(), await makeHome()]
  await fill(databaseOf(large), LARGE_BYTES)
  const { size } = await stat(databaseOf(large))
  const start = async (home: string) => {
    await using hub = await startBenchHub({ home })
    return hub.startedInMs
  }
  const samples = await interleave({ large: () => start(large), empty: () => start(empty) }, ROUNDS)
  for (const home of [empty, large]) await rm(home, { recursive: true, force: true })
  return toRow({
    measure: `hub start on a database of ${(size / 1e9).toFixed(2)} GB, against an empty one`,
    subject: samples.large,
    baseline: samples.empty,
    target: { most: 1.2 },
  })
}

/** Fills a database with delivered messages until the file is that large. */
async function fill(file: string, bytes: number): Promise<void> {
  const database = openBenchDatabase(file)
  const ids = await addPeers(database, PEERS, { online: false })
  const size = () => Number(database.sqlite.pragma('page_count', { simple: true })) * 4_096
  while (size() < bytes)
    await addMessages(database, ids, { peers: PEERS, messages: 10_000, state: 'delivered' })
  database.close()
}

async function benchHelp(): Promise<Row> {
  const home = await makeHome()
  const env = { HOME: home, PATH: process.env['PATH']! }
  const cli = `exec '${process.execPath}' '${join(PACKAGE_ROOT, 'bin/claude-peers.cjs')}' --help`
  const node = `exec '${process.execPath}' -e 0`
  const samples = await interleave(
    {
      help: () => runCommand(cli, { env, expect: 'Usage:' }),
      node: () => runCommand(node, { env }),
    },
    ROUNDS,
  )
  await rm(home, { recursive: true, force: true })
  return toRow({
    measure: '`claude-peers --help`, against `node -e 0`',
    subject: samples.help.map((cost) => cost.wall),
    baseline: samples.node.map((cost) => cost.wall),
    target: { most: 2 },
  })
}
