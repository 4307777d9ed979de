import { setTimeout as pause } from 'node:timers/promises'
import { inject, test } from 'vitest'
import { HUB_URL, SHARED_TOKEN } from './fleet.ts'
import { startRelay } from './relay.ts'
import { tellUnderLoad, WELL } from './story.ts'

/** How long a hub is away, or a bad way is used. */
const AWAY_MS = 10_000
const BAD_MS = 20_000

test.concurrent('the hub is killed and started again: nothing is lost, nothing comes twice', async ({
  expect,
}) => {
  const { load, ...ending } = await tellUnderLoad('the hub is killed', async ({ fleet, hub }, stack) => {
    hub.kill('SIGKILL')
    await hub.exited
    await pause(AWAY_MS)
    stack.use(await fleet.serve())
  })
  expect(ending).toEqual(WELL)
  expect(load.refusals).toEqual(new Set())
})

// tc netem would do this to packets; where its kernel module is not there, a program between the computers does it to bytes.
test.concurrent('over a way of 200 ms each way that loses 5 % of what it carries, all arrives, once and in order', async ({
  expect,
}) => {
  const { seed } = inject('fleet')
  const title = `a relay that delays by 200 ms and loses 5 %, seed ${seed} (this kernel need not have netem)`
  const { load, ...ending } = await tellUnderLoad(title, () => pause(BAD_MS), {
    async prepare({ network: { hosts }, hub, laptop }, stack) {
      const bad = { to: hosts.hub, seed, delayMs: 200, lossPercent: 5 }
      stack.use(await startRelay(hosts.stranger, bad))
      const via = hosts.stranger.address
      await hub.configure({ bind: hosts.hub.address, token: SHARED_TOKEN, hosts: [via] })
      await laptop.configure({ broker_url: HUB_URL.replace(hosts.hub.address, via), token: SHARED_TOKEN })
    },
  })
  expect(ending).toEqual(WELL)
  expect(load.refusals).toEqual(new Set())
})
