import { setTimeout as pause } from 'node:timers/promises'
import { test, type TestContext } from 'vitest'
import { waitFor } from '../harness/wait.ts'
import { openFleet, type Fleet } from './fleet.ts'
import { startLoad, type Load } from './load.ts'

/** How long a link is away. */
const CUT_MS = 60_000
/** Both sides of a dead connection find out by their pings within 25 s; then the retries come every few seconds. */
const RETURN_MS = 60_000
/** Tools promise 2 s; the rest is for a machine that runs other tests as well. */
const TOOL_MS = 4_000

type Scene = { fleet: Fleet; load: Load }

/** Lets two sessions of the laptop and two of the desktop write to each other while something happens. */
async function underLoad(
  { expect, task }: TestContext,
  happen: (scene: Scene) => Promise<void>,
): Promise<Load> {
  await using fleet = await openFleet()
  await using _hub = await fleet.serve()
  const { laptop, desktop } = fleet
  await using web = await fleet.session(laptop, 'web')
  await using shop = await fleet.session(laptop, 'shop')
  await using api = await fleet.session(desktop, 'api')
  await using lab = await fleet.session(desktop, 'lab')
  const sessions = { web, shop, api, lab }
  const names = () => Object.values(sessions).map((session) => session.card()?.name)
  const load = startLoad({ web, shop }, { api, lab })
  try {
    await happen({ fleet, load })
    await load.settle(RETURN_MS)
  } finally {
    await load.stop()
  }
  const { answered, again, ...verdict } = load.ledger.judge()
  process.stdout.write(
    `${task.name}: ${answered} messages, ${load.spooled()} kept on their machine at first, ${again} marked as possible repeats, slowest tool ${Math.round(load.slowest())} ms\n`,
  )
  expect(verdict).toEqual({ lost: [], unmarked: [], disordered: [], doubled: [] })
  expect(names()).toEqual(['web', 'shop', 'api', 'lab'])
  return load
}

/** A minute of the load, before and after which all is well. */
async function cut(load: Load, away: () => Promise<void>, back: () => Promise<void>) {
  await waitFor(() => load.ledger.judge().answered > 16, 'the load to run', 30_000)
  await away()
  await pause(CUT_MS)
  await back()
}

test.concurrent.for([
  [
    'the laptop turns its network off',
    (load, { network }) =>
      cut(
        load,
        () => network.turnOff('laptop'),
        () => network.turnOn('laptop'),
      ),
  ],
  [
    'the plug of the hub is pulled',
    (load, { network }) =>
      cut(
        load,
        () => network.unplug('hub'),
        () => network.plug('hub'),
      ),
  ],
  [
    'what the laptop sends to the hub vanishes',
    (load, { network }) =>
      cut(
        load,
        () => network.swallow('laptop', 'hub'),
        () => network.restore('laptop', 'hub'),
      ),
  ],
  [
    'what the hub sends to the laptop vanishes',
    (load, { network }) =>
      cut(
        load,
        () => network.swallow('hub', 'laptop'),
        () => network.restore('hub', 'laptop'),
      ),
  ],
] satisfies [string, (load: Load, fleet: Fleet) => Promise<void>][])(
  '%s for a minute: nothing is lost, nothing comes twice, tools answer',
  async ([, happen], context) => {
    const load = await underLoad(context, ({ fleet, load }) => happen(load, fleet))
    context.expect(load.refusals).toEqual([])
    context.expect(load.spooled()).toBeGreaterThan(20)
    context.expect(load.slowest()).toBeLessThan(TOOL_MS)
  },
)
