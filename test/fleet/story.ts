import type { HubProcess } from '../harness/hub.ts'
import { waitFor } from '../harness/wait.ts'
import type { Verdict } from '../crash/ledger.ts'
import { openFleet, type Fleet } from './fleet.ts'
import { startLoad, type Load } from './load.ts'

export type Scene = { fleet: Fleet; load: Load; hub: HubProcess }
export type Ending = Omit<Verdict, 'answered' | 'again'> & {
  /** What the sessions are called in the end. */
  names: (string | undefined)[]
  load: Load
}

/** What every story is to end with, whatever happens in it. */
export const WELL = {
  lost: [],
  unmarked: [],
  disordered: [],
  doubled: [],
  names: ['web', 'shop', 'api', 'lab'],
}

/** Dead connections are found out by pings within 25 s, and the retries come every few seconds. */
export const RETURN_MS = 60_000

/**
 * Lets two sessions of the laptop and two of the desktop write to each other, lets something happen once they do, and
 * tells how it ended when all was read. `title` is printed with the figures.
 */
export async function tellUnderLoad(
  title: string,
  happen: (scene: Scene, stack: AsyncDisposableStack) => Promise<void>,
  {
    prepare = async () => undefined,
  }: { prepare?: (fleet: Fleet, stack: AsyncDisposableStack) => Promise<void> } = {},
): Promise<Ending> {
  await using stack = new AsyncDisposableStack()
  const fleet = stack.use(await openFleet())
  await prepare(fleet, stack)
  const hub = stack.use(await fleet.serve())
  const { laptop, desktop } = fleet
  const start = async (...given: Parameters<Fleet['session']>) => stack.use(await fleet.session(...given))
  const web = await start(laptop, 'web')
  const shop = await start(laptop, 'shop')
  const api = await start(desktop, 'api')
  const lab = await start(desktop, 'lab')
  const load = startLoad({ web, shop }, { api, lab })
  stack.defer(() => load.stop())
  await waitFor(() => load.ledger.judge().answered > 16, 'the load to run', 30_000)
  await happen({ fleet, load, hub }, stack)
  await load.settle(RETURN_MS)
  const { answered, again, ...verdict } = load.ledger.judge()
  process.stdout.write(
    `${title}: ${answered} messages, ${load.spooled()} of them kept on their machine first, ${again} came marked as a possible repeat, slowest tool ${Math.round(load.slowest())} ms\n`,
  )
  return { ...verdict, names: [web, shop, api, lab].map((session) => session.card()?.name), load }
}
