import { pino } from 'pino'
import { expect, test } from 'vitest'
import { createSweep } from '../../apps/hub/sweep.ts'
import { GRACE_MS, MESSAGE_TTL_MS } from '../../lib/db/limits.ts'
import { draft, openPair } from '../harness/router.ts'

const SECOND = 1_000

/** The sweep of a hub whose machine the test puts to sleep. */
async function openSweep() {
  const router = await openPair()
  const lines: { msg: string }[] = []
  const log = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) })
  const open = () => createSweep(router.database, log)
  const { messageId } = await router.web.caller.messages.send(draft('api', 'hello'))
  return {
    ...router,
    lines,
    open,
    state: async () => (await router.web.caller.messages.status({ messageId })).recipients[0]!.state,
    async run(sweep: () => Promise<void>, ms: number) {
      for (let passed = 0; passed < ms; passed += 5 * SECOND) {
        router.time.now += 5 * SECOND
        await sweep()
      }
    },
  }
}

test('mail that became due while the machine slept waits an hour more', async () => {
  const { open, time, run, state, api, lines } = await openSweep()
  const sweep = open()
  await run(sweep, 60 * SECOND)
  time.now += MESSAGE_TTL_MS
  await run(sweep, GRACE_MS - 5 * SECOND)
  expect(await state()).toBe('queued')
  expect(lines.map(({ msg }) => msg)).toEqual(['mail that was due to expire waits an hour more'])
  const { messages } = await api.caller.mailbox.consume({ budget: 1_000 })
  expect(messages.map(({ text }) => text)).toEqual(['hello'])
})

test('mail that nobody takes in that hour expires', async () => {
  const { open, time, run, state } = await openSweep()
  const sweep = open()
  await sweep()
  time.now += MESSAGE_TTL_MS
  await run(sweep, GRACE_MS + 10 * SECOND)
  expect(await state()).toBe('expired')
})

test('mail that became due while no hub ran waits an hour more', async () => {
  const { open, time, run, state } = await openSweep()
  time.now += MESSAGE_TTL_MS
  await run(open(), GRACE_MS - 5 * SECOND)
  expect(await state()).toBe('queued')
})

test('mail expires on time while the hub runs on', async () => {
  const { open, time, run, state } = await openSweep()
  time.now += MESSAGE_TTL_MS - GRACE_MS - 10 * SECOND
  const sweep = open()
  await run(sweep, GRACE_MS)
  expect(await state()).toBe('queued')
  await run(sweep, 20 * SECOND)
  expect(await state()).toBe('expired')
})

test('a clock that is days ahead for a moment expires nothing', async () => {
  const { open, time, run, state } = await openSweep()
  const sweep = open()
  await sweep()
  time.now += MESSAGE_TTL_MS
  await run(sweep, 5 * SECOND)
  time.now -= MESSAGE_TTL_MS
  await run(sweep, 60 * SECOND)
  expect(await state()).toBe('queued')
})
