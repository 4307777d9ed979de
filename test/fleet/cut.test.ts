import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'vitest'
import type { Fleet } from './fleet.ts'
import { tellUnderLoad, WELL } from './story.ts'

/** How long a link is away. */
const CUT_MS = 60_000
/** Tools promise 2 s; the rest is for a machine that runs other tests as well. */
const TOOL_MS = 4_000

type Cut = [string, (network: Fleet['network']) => [away: () => Promise<void>, back: () => Promise<void>]]
const cuts: Cut[] = [
  ['the laptop turns its network off', (one) => [() => one.turnOff('laptop'), () => one.turnOn('laptop')]],
  ['the plug of the hub is pulled', (one) => [() => one.unplug('hub'), () => one.plug('hub')]],
  [
    'what the laptop sends to the hub vanishes',
    (one) => [() => one.swallow('laptop', 'hub'), () => one.restore('laptop', 'hub')],
  ],
  [
    'what the hub sends to the laptop vanishes',
    (one) => [() => one.swallow('hub', 'laptop'), () => one.restore('hub', 'laptop')],
  ],
]

test.concurrent.for(cuts)(
  '%s for a minute: nothing is lost, nothing comes twice, tools answer',
  async ([title, toCut], { expect }) => {
    const { load, ...ending } = await tellUnderLoad(title, async ({ fleet: { network } }) => {
      const [away, back] = toCut(network)
      await away()
      await pause(CUT_MS)
      await back()
    })
    expect(ending).toEqual(WELL)
    expect(load.refusals).toEqual(new Set())
    expect(load.spooled()).toBeGreaterThan(20)
    expect(load.slowest()).toBeLessThan(TOOL_MS)
  },
)
