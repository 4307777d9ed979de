import { setTimeout as pause } from 'node:timers/promises'
import { inject, test } from 'vitest'
import { kill, processesOf } from '../e2e/claude/processes.ts'
import { HUB_URL, openFleet, SHARED_TOKEN } from './fleet.ts'
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

const BAD = { delayMs: 200, lossPercent: 5 }

test.concurrent('200 ms each way and 5 % of it lost: all arrives, once and in order', async ({ expect }) => {
  const { seed } = inject('fleet')
  const { load, ...ending } = await tellUnderLoad('200 ms and 5 % lost', () => pause(BAD_MS), {
    async prepare({ network, hub, laptop }, stack) {
      if (await network.degrade('laptop', BAD)) return
      // Without that module of the kernel, a program between the computers does to bytes what it would do to packets.
      process.stdout.write(`this kernel has no netem: a relay delays and loses, seed ${seed}\n`)
      const { hosts } = network
      stack.use(await startRelay(hosts.stranger, { to: hosts.hub, seed, ...BAD }))
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
  await network.turnOn('laptop')

  await using after = await fleet.session(laptop, 'web')
  expect(after.card()!).toMatchObject({ peerId, name: 'web' })
  await api.mailWaits()
  expect(await api.deliver('UserPromptSubmit')).toContain('kept on the laptop')
  await after.mailWaits()
  expect(await after.deliver('UserPromptSubmit')).toContain('sent while it was off')
  expect(await api.deliver('UserPromptSubmit')).toBe('')
})
