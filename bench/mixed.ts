/** What a backlog does to the latency of a hub that works. */
import { startBenchHub, type BenchHub } from './hub-process.ts'
import { addMessages, addPeers, openBenchDatabase } from './database.ts'
import { inParallel, openPool, sendMail, takeMail, takeSeats, type Pool, type Seat } from './load.ts'
import { interleave, quantile, timed } from './measure.ts'
import { amount } from './options.ts'
import { toRow, type Row } from './table.ts'

const CLIENTS = 32
const ROUNDS = amount(9, 1)
const CALLS = amount(4_000, 400)
const PEERS = 1_000
const [FEW, MANY] = [1_000, amount(100_000, 10_000)]

type Scene = { pool: Pool; seats: Seat[]; backlog: string[]; turn: number }

/**
 * The slowest hundredth of the calls that sessions make, while so many messages wait in 1,000 mailboxes of others: of
 * ten calls four look for mail, two send, one of them into the backlog, two take mail and acknowledge it, one asks what
 * was sent, one peeks; each hundredth lists the peers.
 */
export async function benchMixed(): Promise<Row> {
  await using few = await startBacklog(FEW)
  await using many = await startBacklog(MANY)
  using fewPool = openPool(few.hub, CLIENTS)
  using manyPool = openPool(many.hub, CLIENTS)
  const open = async (backlog: string[], pool: Pool): Promise<Scene> => ({
    pool,
    backlog,
    seats: await takeSeats(pool, 4 * CLIENTS, 'worker'),
    turn: 0,
  })
  const scenes = { few: await open(few.ids, fewPool), many: await open(many.ids, manyPool) }
  const samples = await interleave(
    { few: () => slowest(scenes.few), many: () => slowest(scenes.many) },
    ROUNDS,
  )
  return toRow({
    measure: `mixed load of ${CLIENTS} clients, ${MANY.toLocaleString('en')} messages waiting: p99, against ${FEW.toLocaleString('en')}`,
    subject: samples.many,
    baseline: samples.few,
    target: { most: 1.5 },
  })
}

async function startBacklog(messages: number): Promise<AsyncDisposable & { hub: BenchHub; ids: string[] }> {
  let ids: string[] = []
  const hub = await startBenchHub({
    async prepare(file) {
      const database = openBenchDatabase(file)
      ids = await addPeers(database, PEERS, { online: false })
      await addMessages(database, ids, { peers: PEERS, messages, state: 'queued' })
      database.close()
    },
  })
  return { hub, ids, [Symbol.asyncDispose]: () => hub[Symbol.asyncDispose]() }
}

async function slowest(scene: Scene): Promise<number> {
  const latencies: number[] = []
  await inParallel(CLIENTS, CALLS, async (client, number) => {
    latencies.push(await timed(() => act(scene, client, number)))
  })
  return quantile(latencies, 0.99)
}

/** One call of a session, or the two of taking mail. */
async function act(scene: Scene, client: number, number: number): Promise<unknown> {
  const { pool, seats, backlog } = scene
  const turn = scene.turn++
  const own = client * 4 + (turn % 4)
  const self = seats[own]!
  if (number % 100 === 99) return pool.ask('peers.list', { scope: 'network' }, self.key)
  switch (number % 10) {
    case 0:
      return sendMail(pool, self, seats[(own + 1 + (turn % (seats.length - 1))) % seats.length]!.id)
    case 1:
      return sendMail(pool, self, backlog[(turn * 31) % backlog.length]!)
    case 2:
    case 3:
      return takeMail(pool, self)
    case 4:
      return pool.ask('messages.threads', { show: 'sent' }, self.key)
    case 5:
      return pool.ask('mailbox.peek', {}, self.key)
    default:
      return pool.call('mailbox.consume', { budget: 8_000 }, self.key)
  }
}
