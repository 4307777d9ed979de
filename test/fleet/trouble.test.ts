import { setTimeout as pause } from 'node:timers/promises'
import { inject, test } from 'vitest'
import { kill, processesOf } from '../e2e/claude/processes.ts'
import { waitFor } from '../harness/wait.ts'
import { HUB_URL, openFleet, SHARED_TOKEN } from './fleet.ts'
import { startRelay } from './relay.ts'
import { RETURN_MS, tellUnderLoad, WELL } from './story.ts'

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

test.concurrent('a machine that loses power and starts again has its names and its mail, and sends what it had kept', async ({
  expect,
}) => {
  await using fleet = await openFleet()
  await using _hub = await fleet.serve()
  const { laptop, desktop, network } = fleet
  await using api = await fleet.session(desktop, 'api')
  await using before = await fleet.session(laptop, 'web')
  const { peerId } = before.card()!
  await network.turnOff('laptop')
  const kept = await before.tool('send_message', { to: 'api@desktop', message: 'kept on the laptop' })
  expect(kept).toMatchObject({ data: { message_id: null } })
  for (const pid of await processesOf(laptop.path)) kill(pid)
  await before.kill('SIGKILL')
  await api.tool('send_message', { to: 'web@laptop', message: 'sent while it was off' })
  // The hub has to miss it first: a machine that is back within the grace is a second one of its name.
  const isGone = async () => (await api.tool('list_peers')).text.includes('Gone')
  await waitFor(isGone, 'the laptop to be missed', RETURN_MS)
  await network.turnOn('laptop')

  await using after = await fleet.session(laptop, 'web')
  expect(after.card()!).toMatchObject({ peerId, name: 'web' })
  await api.mailWaits()
  expect(await api.deliver('UserPromptSubmit')).toContain('kept on the laptop')
  await after.mailWaits()
  expect(await after.deliver('UserPromptSubmit')).toContain('sent while it was off')
  expect(await api.deliver('UserPromptSubmit')).toBe('')
})
