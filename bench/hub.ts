/** What the hub adds to node:http and to its statements, and how its reads grow with what is stored. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startChild } from './child.ts'
import { addMessages, addPeers, openBenchDatabase } from './database.ts'
import { startBenchHub } from './hub-process.ts'
import { openPool, spread, takeSeats, type Pool, type Seat } from './load.ts'
import { interleave, timed } from './measure.ts'
import { benchMixed } from './mixed.ts'
import { amount } from './options.ts'
import { toBoundRow, toRow, type Row } from './table.ts'
import { cpuOf } from './usage.ts'

const ROUNDS = amount(15, 2)
const CLIENTS = 64
/** Enough that the CPU of a round is measured to a hundredth. */
const CALLS = amount(6_400, 640)
const READS = amount(20_000, 1_000)
const LIST_BOUND_MS = 10

export async function benchHub(): Promise<Row[]> {
  return [...(await benchEmptyConsume()), ...(await benchReads()), await benchMixed()]
}

/** A consume that finds nothing, over HTTP, against a bare server that runs the same statement. */
async function benchEmptyConsume(): Promise<Row[]> {
  const directory = await mkdtemp(join(tmpdir(), 'claude-peers-bench-'))
  await using raw = startChild('baseline/raw-http.ts', [join(directory, 'raw.db')])
  const port = await raw.call<number>('listen')
  await using hub = await startBenchHub()
  using hubPool = openPool(hub, CLIENTS)
  using rawPool = openPool({ url: `http://127.0.0.1:${port}`, token: hub.token }, CLIENTS)
  const seats = await takeSeats(hubPool, CLIENTS, 'empty')

  const samples = await interleave(
    {
      hub: () => consumeAll(hubPool, seats, hub.pid),
      raw: () => consumeAll(rawPool, seats, raw.pid),
    },
    ROUNDS,
  )
  await rm(directory, { recursive: true, force: true })
  const measure = `consume-empty, ${CLIENTS} clients, against node:http and the same statement`
  const unit = `ms for ${CALLS}`
  const [cpu, wall] = [(one: Spent) => one.cpu, (one: Spent) => one.wall]
  return [
    toRow({
      measure: `${measure}: CPU of the server`,
      subject: samples.hub.map(cpu),
      baseline: samples.raw.map(cpu),
      target: { most: 2.5 },
      unit,
    }),
    toRow({
      measure: `${measure}: wall`,
      subject: samples.hub.map(wall),
      baseline: samples.raw.map(wall),
      unit,
    }),
  ]
}

type Spent = { cpu: number; wall: number }

async function consumeAll(pool: Pool, seats: Seat[], pid: number): Promise<Spent> {
  const before = cpuOf(pid)
  const wall = await spread(CLIENTS, CALLS, (client) =>
    pool.call('mailbox.consume', { budget: 8_000 }, seats[client]!.key),
  )
  return { wall, cpu: cpuOf(pid) - before }
}

/** Reads in process with many messages against few. */
async function benchReads(): Promise<Row[]> {
  const directory = await mkdtemp(join(tmpdir(), 'claude-peers-bench-'))
  const open = async (name: string, messages: number, state: 'delivered' | 'queued') => {
    const database = openBenchDatabase(join(directory, `${name}.db`))
    const ids = await addPeers(database, 1_000)
    await addMessages(database, ids, { peers: 1_000, messages, state })
    return { database, ids }
  }
  const few = await open('few', 1_000, 'delivered')
  const many = await open('many', 100_000, 'delivered')
  const waiting = await open('waiting', 100_000, 'queued')
  const consume = ({ database, ids }: typeof few) =>
    timed(() => {
      for (let number = 0; number < READS; number++) database.mailbox.hasMail(ids[number % ids.length]!)
    })
  const list = ({ database }: typeof few) =>
    timed(() => {
      if (database.peers.list(0).length !== 1_000) throw new Error('not every peer was listed')
    })
  const samples = await interleave(
    {
      fewEmpty: () => consume(few),
      manyEmpty: () => consume(many),
      listDelivered: () => list(many),
      listWaiting: () => list(waiting),
    },
    ROUNDS,
  )
  for (const { database } of [few, many, waiting]) database.close()
  await rm(directory, { recursive: true, force: true })
  const toListRow = (state: string, list: number[]) =>
    toBoundRow({
      measure: `list of 1,000 peers, 100,000 messages ${state}`,
      samples: list,
      most: LIST_BOUND_MS,
      unit: 'ms',
    })
  return [
    toRow({
      measure: 'consume-empty with 100,000 stored messages and 1,000 peers, against 1,000 messages',
      subject: samples.manyEmpty,
      baseline: samples.fewEmpty,
      target: { most: 1.1 },
      unit: `ms for ${READS}`,
    }),
    toListRow('delivered', samples.listDelivered),
    toListRow('waiting', samples.listWaiting),
  ]
}
