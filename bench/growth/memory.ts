/** What the hub holds in memory as sessions connect to it. */
import { startBenchHub, WITH_MEMORY_PROBE } from '../hub-process.ts'
import { openPool, takeSeats } from '../load.ts'
import { amount } from '../options.ts'
import { startSubscribers, watchMailboxes } from '../subscriber-group.ts'
import type { Curve } from './curve.ts'

const COUNTS = [10, 100, 300, 1_000, 2_000, 5_000, 10_000].slice(0, amount(7, 2))

/** Ten to ten thousand sessions whose links are open, one hub that they join by and by. */
export async function growBySubscribers(): Promise<Curve> {
  await using hub = await startBenchHub(WITH_MEMORY_PROBE)
  await using subscribers = startSubscribers()
  using pool = openPool(hub, 64)
  const points: Curve['points'] = []
  let open = 0
  for (const count of COUNTS) {
    await watchMailboxes(subscribers, hub, await takeSeats(pool, count - open, `session-${count}`))
    open = count
    const { heapUsed, rss } = await hub.memory()
    points.push({ x: count, figures: { heap: heapUsed / 1e6, RSS: rss / 1e6 } })
  }
  const panels = [{ title: 'MB after a collection', columns: ['heap', 'RSS'] }]
  return { title: 'Memory by subscribers', xLabel: 'sessions with an open link', panels, points }
}
