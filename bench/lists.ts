/** What callers that list all peers, one page after the other without a rest, do to a hook that asks for mail. */
import { startBenchHub } from './hub-process.ts'
import { addPeers, openBenchDatabase } from './database.ts'
import { openPool, takeSeats, type Pool } from './load.ts'
import { interleave, quantile, timed } from './measure.ts'
import { amount } from './options.ts'
import { toBoundRow, toRow, type Row } from './table.ts'

const PEERS = amount(2_000, 200)
const CALLERS = 16
const ROUNDS = amount(7, 1)
const CALLS = amount(200, 20)

export async function benchLists(): Promise<Row[]> {
  await using hub = await startBenchHub({
    async prepare(file) {
      const database = openBenchDatabase(file)
      await addPeers(database, PEERS)
      database.close()
    },
  })
  using hookPool = openPool(hub, 1)
  using listPool = openPool(hub, CALLERS)
  const [seat] = await takeSeats(hookPool, 1, 'hook')
  const consumeAll = async () => {
    const latencies: number[] = []
    for (let call = 0; call < CALLS; call++) {
      latencies.push(await timed(() => hookPool.call('mailbox.consume', { budget: 8_000 }, seat!.key)))
    }
    return latencies
  }
  const beside = async (share: number) => {
    const end = new AbortController()
    const callers = Array.from({ length: CALLERS }, () => listAll(listPool, end.signal))
    const latencies = await consumeAll()
    end.abort()
    await Promise.all(callers)
    return quantile(latencies, share)
  }
  const samples = await interleave(
    {
      middle: () => beside(0.5),
      slowest: () => beside(0.99),
      middleAlone: async () => quantile(await consumeAll(), 0.5),
    },
    ROUNDS,
  )
  const where = `a hook's look for mail beside ${CALLERS} callers that list ${PEERS.toLocaleString('en')} peers`
  return [
    toRow({
      measure: `${where}, against alone: median`,
      subject: samples.middle,
      baseline: samples.middleAlone,
      target: { most: 30 },
    }),
    // The deadline of a hook is 1,500 ms. The callers share this process, and their work is in the figure.
    toBoundRow({ measure: `${where}: p99`, samples: samples.slowest, most: 150, unit: 'ms' }),
  ]
}

type Page = { nextCursor: string | null }

async function listAll(pool: Pool, signal: AbortSignal): Promise<void> {
  let cursor: string | null = null
  while (!signal.aborted) {
    const input = cursor === null ? {} : { cursor }
    const page: Page = await pool.ask<Page>('peers.list', input)
    cursor = page.nextCursor
  }
}
