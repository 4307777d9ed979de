/** What a live subscriber costs, and how fast all of them are told of a change. */
import { startChild, type Child } from './child.ts'
import { startBenchHub, WITH_MEMORY_PROBE, type BenchHub } from './hub-process.ts'
import { openPool, takeSeats, type Pool } from './load.ts'
import { interleave } from './measure.ts'
import { amount } from './options.ts'
import { listenTo, startSubscribers, timeToLast, watchMailboxes, watchPeers } from './subscriber-group.ts'
import { toBoundRow, toRow, type Row } from './table.ts'
import { restingMemory } from './usage.ts'

const SUBSCRIBERS = amount(5_000, 200)
const ROUNDS = amount(15, 2)
const HEAP_ROUNDS = amount(3, 1)
const HEAP_BOUND_KIB = 20
/** What a `peers.watch` costs must not grow with those that it tells of. */
const [CROWD, CROWD_SUBSCRIBERS] = [amount(1_000, 100), amount(200, 50)]

export async function benchSubscribers(): Promise<Row[]> {
  return [...(await benchHeap()), await benchPresence()]
}

/** The heap of the hub with and without subscribers, after collections, in KiB for each of them. */
async function benchHeap(): Promise<Row[]> {
  const samples = await interleave(
    {
      sessions: () => weigh(openMailboxes, SUBSCRIBERS),
      peers: () => weigh(openPeers, SUBSCRIBERS),
      crowd: () => weigh(openPeersOfCrowd, CROWD_SUBSCRIBERS),
    },
    HEAP_ROUNDS,
  )
  const heapOf = (feed: string, count: number) =>
    `heap a live subscriber of ${feed}, ${toWords(count)} subscribers`
  const bound = { most: HEAP_BOUND_KIB, unit: 'KiB' }
  const sessions = {
    measure: heapOf('`mailbox.watch` (one a session)', SUBSCRIBERS),
    samples: samples.sessions,
  }
  return [
    toBoundRow({ ...sessions, ...bound }),
    toBoundRow({ measure: heapOf('`peers.watch`', SUBSCRIBERS), samples: samples.peers, ...bound }),
    toRow({
      measure: `${heapOf('`peers.watch`', CROWD_SUBSCRIBERS)} that know ${toWords(CROWD)} peers, against those that know none`,
      subject: samples.crowd,
      baseline: samples.peers,
      unit: 'KiB',
      // Of a few hundred, a page of rubbish more or less is a part of the figure.
      target: { most: 1.5 },
    }),
  ]
}

type Place = { subscribers: Child; hub: BenchHub; pool: Pool; count: number }
/** Opens so many in all; the first of them come before the memory is first looked at. */
type Opening = (place: Place) => Promise<(from: number, to: number) => Promise<unknown>>

/** What is loaded for the first subscribers is no cost of the others. */
const FIRST = 10

async function weigh(prepare: Opening, count: number): Promise<number> {
  await using hub = await startBenchHub(WITH_MEMORY_PROBE)
  await using subscribers = startSubscribers()
  using pool = openPool(hub, 64)
  const open = await prepare({ subscribers, hub, pool, count })
  await open(0, FIRST)
  // What its start needed is given back at its first rest, and would be taken for memory that subscribers give.
  await restingMemory(hub.pid)
  const before = await hub.memory()
  await open(FIRST, count)
  const after = await hub.memory()
  return (after.heapUsed - before.heapUsed) / (count - FIRST) / 1_024
}

async function openMailboxes({ subscribers, hub, pool, count }: Place) {
  const seats = await takeSeats(pool, count, 'session')
  return (from: number, to: number) => watchMailboxes(subscribers, hub, seats.slice(from, to))
}

async function openPeers({ subscribers, hub }: Place) {
  return (from: number, to: number) => watchPeers(subscribers, hub, to - from)
}

async function openPeersOfCrowd(place: Place) {
  await takeSeats(place.pool, CROWD, 'crowd')
  return openPeers(place)
}

/** From the call that changes somebody's presence until the last subscriber was told, against a bare broadcast. */
async function benchPresence(): Promise<Row> {
  await using hub = await startBenchHub()
  await using raw = startChild('baseline/broadcast.ts')
  const rawUrl = `http://127.0.0.1:${await raw.call<number>('listen')}`
  await using hubSubscribers = startSubscribers()
  await using rawSubscribers = startSubscribers()
  using hubPool = openPool(hub, 1)
  using rawPool = openPool({ url: rawUrl, token: hub.token }, 1)
  await watchPeers(hubSubscribers, hub, SUBSCRIBERS)
  await listenTo(rawSubscribers, rawUrl, SUBSCRIBERS)
  const seat = openSeat(hubPool)
  const { peer } = await seat.turn()
  const samples = await interleave(
    {
      hub: () => timeToLast(hubSubscribers, seat.news(), () => seat.turn()),
      raw: () => timeToLast(rawSubscribers, '"joined"', () => rawPool.call('', { type: 'joined', peer })),
    },
    ROUNDS,
  )
  return toRow({
    measure: `${toWords(SUBSCRIBERS)} subscribers, presence change to the last one told, against a raw \`ws\` broadcast serialised once`,
    subject: samples.hub,
    baseline: samples.raw,
    target: { most: 2 },
  })
}

type Registered = { peer: object; key: string }

/** A session that comes and goes, in turn: it belongs to this process, so that the hub believes that it runs. */
function openSeat(pool: Pool) {
  let key: string | undefined
  let isThere = false
  return {
    news: () => (isThere ? '"left"' : '"joined"'),
    async turn(): Promise<Registered> {
      isThere = !isThere
      if (!isThere) return pool.call('peers.leave', {}, key)
      const registered = await pool.call<Registered>('peers.register', {
        machine: { id: 'bench-machine', host: 'bench' },
        directory: '/bench/comes-and-goes',
        root: '/bench/comes-and-goes',
        isRepo: false,
        summary: 'Working on a benchmark',
        process: { pid: process.pid },
      })
      key = registered.key
      return registered
    },
  }
}

const toWords = (count: number) => count.toLocaleString('en')
