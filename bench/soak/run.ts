/** The load of a soak: messages at a fixed rate between sessions that take, acknowledge and confirm them. */
import { statSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { BenchHub } from '../hub-process.ts'
import { openPool, sendMail, takeMail, takeSeats, type Pool } from '../load.ts'
import { quantile, timed, type Samples } from '../measure.ts'
import { startSubscribers, watchMailboxes } from '../subscriber-group.ts'
import { cpuOf, descriptorsOf, residentOf } from '../usage.ts'
import type { Soak, SoakSample } from './report.ts'

/** So many that no pair passes its 60 messages a minute at 200 a second: 2,048 pairs. */
const [SENDERS, READERS] = [32, 64]
const CONNECTIONS = 64

export type SoakOptions = { rate: number; seconds: number; sampleSeconds: number }

/** Sends for so long, at a rate that does not wait for answers, and looks at the hub at fixed times. */
export async function runSoak(hub: BenchHub, { rate, seconds, sampleSeconds }: SoakOptions): Promise<Soak> {
  await using subscribers = startSubscribers()
  const pool = openPool(hub, CONNECTIONS)
  const senders = await takeSeats(pool, SENDERS, 'sender')
  const readers = await takeSeats(pool, READERS, 'reader')
  await watchMailboxes(subscribers, hub, readers)
  const before = await descriptorsWithout(pool, hub.pid)

  let send: Samples = []
  let take: Samples = []
  let failure: unknown
  async function exchange(number: number) {
    const sender = senders[number % SENDERS]!
    const reader = readers[Math.floor(number / SENDERS) % READERS]!
    send.push(await timed(() => sendMail(pool, sender, reader.id)))
    let ids: number[] = []
    take.push(await timed(async () => (ids = await takeMail(pool, reader))))
    // As a session does that finds them in its transcript.
    if (ids.length > 0) await pool.call('mailbox.confirm', { ids }, reader.key)
  }
  const look = (at: number, cpuMs: number): SoakSample => ({
    minute: at / 60_000,
    messages: send.length,
    cpu: cpuMs / (sampleSeconds * 1_000),
    send: { p50: quantile(send, 0.5), p99: quantile(send, 0.99) },
    take: { p50: quantile(take, 0.5), p99: quantile(take, 0.99) },
    rss: residentOf(hub.pid),
    descriptors: descriptorsOf(hub.pid),
    wal: statSync(`${hub.database}-wal`).size / 1e6,
    database: statSync(hub.database).size / 1e6,
  })

  const samples: SoakSample[] = []
  const underWay = new Set<Promise<void>>()
  const start = performance.now()
  let cpu = cpuOf(hub.pid)
  let sent = 0
  while (samples.length * sampleSeconds < seconds - sampleSeconds / 2) {
    const elapsed = performance.now() - start
    for (; sent < (elapsed / 1_000) * rate; sent++) {
      const work = exchange(sent)
        .catch((cause: unknown) => (failure ??= cause))
        .then(() => void underWay.delete(work))
      underWay.add(work)
    }
    if (failure) throw failure
    if (elapsed >= (samples.length + 1) * sampleSeconds * 1_000 && send.length > 0) {
      const now = cpuOf(hub.pid)
      samples.push(look(elapsed, now - cpu))
      cpu = now
      send = []
      take = []
    }
    await pause(2)
  }
  await Promise.all(underWay)
  return { samples, descriptors: { before, after: await descriptorsWithout(pool, hub.pid) } }
}

/** What the hub has open besides the connections of its callers, which come and go with the load. */
async function descriptorsWithout(pool: Pool, pid: number): Promise<number> {
  pool[Symbol.dispose]()
  await pause(1_000)
  return descriptorsOf(pid)
}
