/** What a live subscriber costs, and how fast all of them are told of a change. */
import { startChild } from './child.ts'
import { startBenchHub, WITH_MEMORY_PROBE } from './hub-process.ts'
import { openPool, takeSeats, type Pool } from './load.ts'
import { interleave } from './measure.ts'
import { amount } from './options.ts'
import { listenTo, startSubscribers, timeToLast, watchMailboxes, watchPeers } from './subscriber-group.ts'
import { toBoundRow, toRow, type Row } from './table.ts'

const SUBSCRIBERS = amount(5_000, 200)
const ROUNDS = amount(15, 2)
const HEAP_ROUNDS = amount(3, 1)
const HEAP_BOUND_KIB = 20

export async function benchSubscribers(): Promise<Row[]> {
  return [...(await benchHeap()), await benchPresence()]
}

/** The heap of the hub with and without subscribers, after collections, in KiB for each of them. */
async function benchHeap(): Promise<Row[]> {
  const samples = await interleave(
    { peers: () => weigh('peers'), sessions: () => weigh('sessions') },
    HEAP_ROUNDS,
  )
  const count = SUBSCRIBERS.toLocaleString('en')
  const toHeapRow = (feed: string, given: number[]) =>
    toBoundRow({
      measure: `heap a live subscriber of ${feed}, ${count} subscribers`,
      samples: given,
      most: HEAP_BOUND_KIB,
      unit: 'KiB',
    })
  return [
    toHeapRow('`mailbox.watch` (one a session)', samples.sessions),
    toHeapRow('`peers.watch`', samples.peers),
  ]
}

async function weigh(feed: 'peers' | 'sessions'): Promise<number> {
  await using hub = await startBenchHub(WITH_MEMORY_PROBE)
  await using subscribers = startSubscribers()
  using pool = openPool(hub, 64)
  const seats = feed === 'sessions' ? await takeSeats(pool, SUBSCRIBERS, 'session') : []
  // What is loaded for the first subscriber is no cost of the others.
  await watchPeers(subscribers, hub, 10)
  const before = await hub.memory()
  if (feed === 'peers') await watchPeers(subscribers, hub, SUBSCRIBERS)
  else await watchMailboxes(subscribers, hub, seats)
  const after = await hub.memory()
  return (after.heapUsed - before.heapUsed) / SUBSCRIBERS / 1_024
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
    measure: `${SUBSCRIBERS.toLocaleString('en')} subscribers, presence change to the last one told, against a raw \`ws\` broadcast serialised once`,
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
