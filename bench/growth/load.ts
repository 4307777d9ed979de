/** Throughput and latency of exchanges (send, consume, acknowledge) as something grows. */
import { rm } from 'node:fs/promises'
import { addMessages, addPeers, openBenchDatabase } from '../database.ts'
import { databaseOf, makeHome } from '../hub-process.ts'
import { inParallel, newText } from '../load.ts'
import { quantile, timed } from '../measure.ts'
import { amount } from '../options.ts'
import { openOwn, type OwnMail } from '../peers/own.ts'
import { measurePoints, type Curve, type Figures } from './curve.ts'

const ROUNDS = amount(3, 1)
/** The mailboxes of the clients while something else grows. */
const CLIENTS = 16
const EXCHANGES = amount(800, 64)
const PANELS = [
  { title: 'exchanges (send, consume, acknowledge) a second', columns: ['throughput'] },
  { title: 'ms for an exchange', columns: ['p50', 'p99'] },
]

/** 1 to 256 clients at one hub. */
export async function growByClients(): Promise<Curve> {
  const counts = [1, 2, 4, 8, 16, 32, 64, 128, 256].slice(0, amount(9, 3))
  await using mail = await openOwn(counts.reduce((sum, count) => sum + count, 0))
  let first = 0
  const points = counts.map((clients) => {
    // Each point has mailboxes of its own, because of the limit of messages a minute.
    const own = first
    first += clients
    return {
      x: clients,
      measure: () => exchangeAll(mail, { first: own, clients, count: amount(200, 32) + 8 * clients }),
    }
  })
  return {
    title: 'By clients',
    xLabel: 'clients',
    panels: PANELS,
    points: await measurePoints(points, ROUNDS),
  }
}

/** A thousand to a million messages in the database, delivered to 1,000 peers. */
export async function growByMessages(): Promise<Curve> {
  const counts = [1e3, 1e4, 1e5, 1e6].slice(0, amount(4, 2))
  const points = await growTo(counts, async (file, messages) => {
    const database = openBenchDatabase(file)
    const ids = await addPeers(database, 1_000, { online: false })
    await addMessages(database, ids, { peers: 1_000, messages, state: 'delivered' })
    database.close()
  })
  return { title: 'By stored messages', xLabel: 'messages in the database', panels: PANELS, points }
}

/** Ten to ten thousand peers, and how long it takes to list them. */
export async function growByPeers(): Promise<Curve> {
  const counts = [10, 100, 1e3, 1e4].slice(0, amount(4, 2))
  const points = await growTo(
    counts,
    async (file, peers) => {
      const database = openBenchDatabase(file)
      await addPeers(database, peers, { online: false })
      database.close()
    },
    async (mail) => ({ 'list of peers': await timed(() => mail.pool.ask('peers.list', undefined)) }),
  )
  const panels = [...PANELS, { title: 'ms for a list of all peers', columns: ['list of peers'] }]
  return { title: 'By peers', xLabel: 'peers besides those of the clients', panels, points }
}

/** Hubs that were prepared with so many of something each, measured in turn. */
async function growTo(
  counts: number[],
  prepare: (file: string, count: number) => Promise<void>,
  also: (mail: OwnMail) => Promise<Figures> = async () => ({}),
): Promise<Curve['points']> {
  await using stack = new AsyncDisposableStack()
  const homes = new Map<number, string>()
  // All before the first hub: while this process fills a file, it sees no hub close the connections that it keeps.
  for (const count of counts) {
    const home = await makeHome()
    stack.defer(() => rm(home, { recursive: true, force: true }))
    await prepare(databaseOf(home), count)
    homes.set(count, home)
  }
  const points = []
  for (const [count, home] of homes) {
    const mail = stack.use(await openOwn(CLIENTS, { home }))
    const measure = async () => ({
      ...(await exchangeAll(mail, { first: 0, clients: CLIENTS, count: EXCHANGES })),
      ...(await also(mail)),
    })
    points.push({ x: count, measure })
  }
  // Awaited here: the hubs end with this function.
  return await measurePoints(points, ROUNDS)
}

async function exchangeAll(
  mail: OwnMail,
  { first, clients, count }: { first: number; clients: number; count: number },
): Promise<Figures> {
  const latencies: number[] = []
  const ms = await timed(() =>
    inParallel(clients, count, async (client) => {
      latencies.push(await timed(() => mail.exchange(first + client, newText())))
    }),
  )
  return { throughput: (count * 1_000) / ms, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) }
}
