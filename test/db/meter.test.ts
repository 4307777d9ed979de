import { expect, test } from 'vitest'
import { LEASE_MS } from '../../lib/db/limits.ts'
import type { Meter } from '../../lib/db/meter.ts'
import { openInMemory } from '../../lib/db/open.ts'
import { FOLDER, LAPTOP, SECOND, START } from './harness.ts'

/** A database with two sessions, and what it told its meter. */
async function openMetered() {
  const told: string[] = []
  const meter: Meter = {
    sent: () => told.push('sent'),
    delivered: (ms) => told.push(`delivered after ${ms} ms`),
    leaseOver: (count) => told.push(`${count} leases over`),
    committed: (operations, ms) => told.push(`${operations} committed${ms >= 0 ? '' : ' before they began'}`),
  }
  const clock = { now: START }
  const database = openInMemory({ folder: FOLDER, now: () => clock.now, meter })
  const seat = (name: string) =>
    database.register(
      {
        machine: LAPTOP,
        kind: 'session',
        root: `/work/${name}`,
        cwd: `/work/${name}`,
        isRepo: true,
        summary: '',
      },
      { isHeld: () => false, keyFor: undefined },
    ).peer.id
  const [api, web] = [seat('api'), seat('web')]
  let keys = 0
  const send = () =>
    database.messages.send({
      senderId: api,
      recipientIds: [web],
      idempotencyKey: `key-${++keys}`,
      body: `message ${keys}`,
      urgency: 'normal',
    })
  const consume = () => database.mailbox.consume({ recipientId: web, budget: 1_000, overhead: 0 })
  return { database, clock, told, web, send, consume, run: database.queue.run }
}

test('a meter hears of what was committed together, once it is committed', async () => {
  const { told, run, send } = await openMetered()
  const first = run(send)
  const second = run(send)
  expect(told).toEqual([])
  await Promise.all([first, second])
  expect(told).toEqual(['2 committed', 'sent', 'sent'])
})

test('it hears how long each message took to its acknowledgement', async () => {
  const { database, clock, told, run, send, consume, web } = await openMetered()
  await run(send)
  clock.now += SECOND
  await run(send)
  const { offerId } = await run(consume)
  clock.now += 2 * SECOND
  told.length = 0
  await run(() => database.mailbox.acknowledge(web, offerId!))
  expect(told).toEqual(['1 committed', 'delivered after 3000 ms', 'delivered after 2000 ms'])
  // The same acknowledgement again is none.
  await run(() => database.mailbox.acknowledge(web, offerId!))
  expect(told.slice(3)).toEqual(['1 committed'])
})

test('it hears of a lease that is over once, whoever finds it', async () => {
  const { database, clock, told, run, send, consume } = await openMetered()
  await run(send)
  await run(consume)
  clock.now += LEASE_MS
  told.length = 0
  await run(database.sweep)
  expect(told).toEqual(['1 committed', '1 leases over'])
  await run(consume)
  clock.now += LEASE_MS
  told.length = 0
  await run(consume)
  await run(database.sweep)
  expect(told).toEqual(['1 committed', '1 leases over', '1 committed'])
})

test('it hears nothing of what was taken back', async () => {
  const { told, run, send } = await openMetered()
  const failing = run(() => {
    send()
    throw new Error('changed my mind')
  })
  const kept = run(send)
  await expect(failing).rejects.toThrow('changed my mind')
  await kept
  expect(told).toEqual(['2 committed', 'sent'])
})

test('the age of the mail is that of the message that has waited longest', async () => {
  const { database, clock, run, send, consume, web } = await openMetered()
  expect(database.messages.oldestWaiting()).toBeUndefined()
  await run(send)
  clock.now += SECOND
  await run(send)
  expect(database.messages.oldestWaiting()).toBe(START)
  const { offerId } = await run(consume)
  expect(database.messages.oldestWaiting()).toBe(START)
  await run(() => database.mailbox.acknowledge(web, offerId!))
  expect(database.messages.oldestWaiting()).toBeUndefined()
})
