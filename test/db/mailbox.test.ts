import { expect, test } from 'vitest'
import { CONFIRM_MS, LEASE_MS, MAX_WAKES, MESSAGE_TTL_MS } from '../../lib/db/limits.ts'
import { bodies, openWorld } from './harness.ts'

test('mail that was sent while nobody looked is offered once and delivered by the acknowledgement', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const id = world.send(api, web, 'hello')
  expect(world.receipt(id)).toMatchObject({ state: 'queued', attempts: 0, offeredAt: null, settledAt: null })

  world.advance(5)
  const offer = world.consume(web)
  expect(bodies(offer)).toEqual(['hello'])
  expect(offer.leaseUntil).toBe(world.clock.now + LEASE_MS)
  expect(world.receipt(id)).toMatchObject({ state: 'offered', attempts: 1, offeredAt: world.clock.now })
  expect(world.consume(web)).toMatchObject({ offerId: undefined, messages: [], remaining: 0 })

  world.advance(5)
  expect(world.acknowledge(web, offer)).toBe(1)
  expect(world.receipt(id)).toMatchObject({ state: 'delivered', settledAt: world.clock.now, readAt: null })
  world.advance(LEASE_MS * 2)
  world.sweep()
  expect(bodies(world.consume(web))).toEqual([])
})

test('a message carries who wrote it, from where and in reply to what', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const question = world.send(web, api, 'which port?')
  world.send(api, web, { body: '7899 🚪', urgency: 'fyi', replyTo: question })
  expect(world.consume(web).messages[0]).toMatchObject({
    body: '7899 🚪',
    chars: 7,
    urgency: 'fyi',
    replyTo: question,
    senderId: api,
    senderName: 'api',
    senderHost: 'laptop',
    senderCwd: '/src/api',
    attempts: 1,
  })
})

test('of many callers at once exactly one gets the mail', async () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  world.send(api, web)
  const { mailbox, queue } = world.database
  const calls = Array.from({ length: 20 }, () =>
    queue.run(() => mailbox.consume({ recipientId: web, budget: 1_000, overhead: 0 })),
  )
  const offers = await Promise.all(calls)
  expect(offers.filter((offer) => offer.messages.length > 0)).toHaveLength(1)
})

test('the mail of one mailbox is offered to no other, and acknowledged by no other', () => {
  using world = openWorld()
  const [api, web, cli] = [world.join('api'), world.join('web'), world.join('cli')]
  const id = world.send(api, web)
  expect(world.consume(cli).messages).toEqual([])
  const offer = world.consume(web)
  expect(world.acknowledge(cli, offer)).toBe(0)
  expect(world.release(cli, offer)).toBe(0)
  expect(world.receipt(id).state).toBe('offered')
})

test('one message to several recipients has its own course with each', () => {
  using world = openWorld()
  const [api, web, cli] = [world.join('api'), world.join('web'), world.join('cli')]
  const id = world.send(api, [web, cli])
  world.acknowledge(web, world.consume(web))
  const states = world.database.messages.receipts(id).map((one) => [one.recipientId, one.state])
  expect(Object.fromEntries(states)).toEqual({ [web]: 'delivered', [cli]: 'queued' })
  expect(world.consume(cli).messages).toHaveLength(1)
})

test('hasMail is true while a consume would give something, and false while all is on offer', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const { mailbox } = world.database
  expect(mailbox.hasMail(web)).toBe(false)
  world.send(api, web)
  expect(mailbox.hasMail(web)).toBe(true)
  const offer = world.consume(web)
  expect(mailbox.hasMail(web)).toBe(false)
  world.advance(LEASE_MS)
  expect(mailbox.hasMail(web)).toBe(true)
  world.acknowledge(web, offer)
  expect(mailbox.hasMail(web)).toBe(false)
})

test('mail that has just come is known without a look, until somebody takes it', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const { mailbox } = world.database
  expect(mailbox.mayHaveMail(web)).toBe(false)
  const id = world.send(api, web)
  expect(mailbox.mayHaveMail(web)).toBe(true)
  world.retract(api, id)
  // In vain: it costs a consume that gives nothing.
  expect(mailbox.mayHaveMail(web)).toBe(true)
  expect(world.consume(web).messages).toEqual([])
  expect(mailbox.mayHaveMail(web)).toBe(false)
  world.send(api, web)
  world.consume(web)
  expect(mailbox.mayHaveMail(web)).toBe(false)
  world.advance(LEASE_MS)
  expect(mailbox.mayHaveMail(web)).toBe(true)
})

test('peek shows queued and offered mail, oldest first, and takes nothing', () => {
  using world = openWorld()
  const [api, web, cli] = [world.join('api'), world.join('web'), world.join('cli')]
  world.send(api, web, 'one')
  world.consume(web)
  world.send(cli, web, 'two')
  world.send(api, web, 'three')
  const { mailbox, peers } = world.database
  expect(mailbox.peek(web, 10).map((mail) => mail.body)).toEqual(['one', 'two', 'three'])
  expect(mailbox.peek(web, 2)).toHaveLength(2)
  expect(mailbox.queued(web)).toBe(2)
  expect(peers.get(web)?.waiting).toBe(3)
  expect(bodies(world.consume(web))).toEqual(['two'])
})

test('a message on offer for 30 seconds is queued again, and its second offer is marked by its attempts', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const id = world.send(api, web, 'hello')
  const first = world.consume(web)
  world.advance(LEASE_MS - 1)
  expect(world.consume(web).messages).toEqual([])
  world.advance(1)
  const second = world.consume(web)
  expect(bodies(second)).toEqual(['hello'])
  expect(second.messages[0]?.attempts).toBe(2)
  expect(second.offerId).not.toBe(first.offerId)
  expect(world.receipt(id)).toMatchObject({ state: 'offered', attempts: 2 })
})

test('a late acknowledgement counts before the mail is queued again', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const id = world.send(api, web)
  const offer = world.consume(web)
  world.advance(LEASE_MS * 3)
  expect(world.acknowledge(web, offer)).toBe(1)
  expect(world.receipt(id).state).toBe('delivered')
})

test('a late acknowledgement counts after the mail is queued again', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const id = world.send(api, web)
  const offer = world.consume(web)
  world.advance(LEASE_MS)
  expect(world.sweep().requeued).toBe(1)
  expect(world.receipt(id).state).toBe('queued')
  expect(world.acknowledge(web, offer)).toBe(1)
  expect(world.receipt(id).state).toBe('delivered')
  expect(world.consume(web).messages).toEqual([])
})

test('a late acknowledgement settles nothing that was offered again meanwhile, and the rest of its own', () => {
  using world = openWorld()
  const [api, cli, web] = [world.join('api'), world.join('cli'), world.join('web')]
  const first = world.send(api, web, 'a')
  const second = world.send(cli, web, 'b')
  const late = world.consume(web)
  world.advance(LEASE_MS)
  const again = world.consume(web, { budget: 1 })
  expect(bodies(again)).toEqual(['a'])
  expect(world.acknowledge(web, late)).toBe(1)
  expect([world.receipt(first).state, world.receipt(second).state]).toEqual(['offered', 'delivered'])
  expect(world.acknowledge(web, again)).toBe(1)
})

test('urgent is what the next consume could give that is not fyi', () => {
  using world = openWorld()
  const [api, cli, web] = [world.join('api'), world.join('cli'), world.join('web')]
  const urgent = () => world.database.mailbox.urgent(web)
  world.send(api, web, { urgency: 'fyi' })
  expect(urgent()).toBe(0)
  world.send(api, web)
  const offer = world.consume(web)
  world.send(api, web, 'held back by the offer')
  expect(urgent()).toBe(0)
  world.send(cli, web)
  expect(urgent()).toBe(1)
  world.acknowledge(web, offer)
  expect(urgent()).toBe(2)
  world.advance(MESSAGE_TTL_MS)
  world.sweep()
  expect(urgent()).toBe(0)
})

test('mail whose delivery breaks each time is urgent three times, and waits on', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  world.send(api, web)
  for (let attempt = 1; attempt <= MAX_WAKES; attempt++) {
    expect(world.database.mailbox.urgent(web)).toBe(1)
    world.consume(web)
    world.advance(LEASE_MS)
    world.sweep()
  }
  expect(world.database.mailbox.urgent(web)).toBe(0)
  expect(world.consume(web).messages).toHaveLength(1)
})

test('an acknowledgement that is repeated, or of an offer that never was, settles nothing', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const id = world.send(api, web)
  const offer = world.consume(web)
  world.acknowledge(web, offer)
  const before = world.receipt(id)
  world.advance(10)
  expect(world.acknowledge(web, offer)).toBe(0)
  expect(world.acknowledge(web, { ...offer, offerId: 'never' })).toBe(0)
  expect(world.receipt(id)).toEqual(before)
})

test('a released offer waits again at once, in its order, and counts as an attempt', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  for (const body of ['1', '2', '3']) world.send(api, web, body)
  const offer = world.consume(web, { budget: 2 })
  expect(world.release(web, offer)).toBe(2)
  const again = world.consume(web)
  expect(bodies(again)).toEqual(['1', '2', '3'])
  expect(again.messages.map((mail) => mail.attempts)).toEqual([2, 2, 1])
})

test('an offer that was given back can be neither given back again nor acknowledged', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const id = world.send(api, web)
  const offer = world.consume(web)
  world.release(web, offer)
  const before = world.receipt(id)
  expect(world.release(web, offer)).toBe(0)
  expect(world.acknowledge(web, offer)).toBe(0)
  expect(world.receipt(id)).toEqual(before)
})

test('a release that comes after the lease gives nothing back: it waits already', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const id = world.send(api, web)
  const offer = world.consume(web)
  world.advance(LEASE_MS)
  world.sweep()
  const before = world.receipt(id)
  expect(world.release(web, offer)).toBe(0)
  expect(world.receipt(id)).toEqual(before)
})

test('a release or an acknowledgement after delivery changes no receipt back', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const id = world.send(api, web)
  const offer = world.consume(web)
  world.acknowledge(web, offer)
  expect(world.release(web, offer)).toBe(0)
  expect(world.receipt(id).state).toBe('delivered')
})

test('what was seen in the transcript is read, and its receipt says since when', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const id = world.send(api, web)
  world.acknowledge(web, world.consume(web))
  const delivered = world.receipt(id)
  world.advance(5)
  expect(world.confirm(web, [id])).toBe(1)
  expect(world.receipt(id)).toMatchObject({
    state: 'read',
    settledAt: delivered.settledAt,
    readAt: world.clock.now,
  })
  const read = world.receipt(id)
  world.advance(5)
  expect(world.confirm(web, [id])).toBe(0)
  expect(world.receipt(id)).toEqual(read)
})

test('what was seen although its acknowledgement was lost is read, and not delivered again', () => {
  using world = openWorld()
  const [api, cli, web] = [world.join('api'), world.join('cli'), world.join('web')]
  const [first, second] = [world.send(api, web, 'a'), world.send(cli, web, 'b')]
  const offer = world.consume(web)
  expect(world.confirm(web, [first])).toBe(1)
  world.advance(LEASE_MS)
  world.sweep()
  expect(world.confirm(web, [second])).toBe(1)
  expect(world.receipt(second)).toMatchObject({ state: 'read', settledAt: world.clock.now })
  expect(world.acknowledge(web, offer)).toBe(0)
  expect(world.consume(web).messages).toEqual([])
})

test('only what is on offer or was delivered within a day is looked for, the newest of it', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const unread = () => world.database.mailbox.unread(web).map(({ id, state }) => [id, state])
  const [old, read] = [world.send(api, web), world.send(api, web)]
  world.acknowledge(web, world.consume(web))
  world.confirm(web, [read])
  world.advance(CONFIRM_MS - 1)
  const later = world.send(api, web)
  const offer = world.consume(web)
  world.send(api, web)
  expect(unread()).toEqual([
    [later, 'offered'],
    [old, 'delivered'],
  ])
  world.advance(1)
  world.acknowledge(web, offer)
  expect(unread()).toEqual([[later, 'delivered']])
  for (let sent = 0; sent < 60; sent++) {
    world.advance(2_000)
    world.send(api, web)
  }
  world.acknowledge(web, world.consume(web))
  expect(unread()).toHaveLength(50)
  expect(unread()[0]).toEqual([later + 61, 'delivered'])
})

test('nobody can have read what was never offered, was sent to another, or is not there', () => {
  using world = openWorld()
  const [api, cli, web] = [world.join('api'), world.join('cli'), world.join('web')]
  const [queued, other, retracted] = [world.send(api, web), world.send(api, cli), world.send(api, web)]
  world.consume(cli)
  world.retract(api, retracted)
  expect(world.confirm(web, [queued, other, retracted, 4_711])).toBe(0)
  expect([queued, other, retracted].map((id) => world.receipt(id).state)).toEqual([
    'queued',
    'offered',
    'retracted',
  ])
})

test('mail on offer when its time is over can still be acknowledged', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const id = world.send(api, web)
  world.advance(world.receipt(id).expiresAt - world.clock.now - 1)
  const offer = world.consume(web)
  world.advance(LEASE_MS - 1)
  expect(world.sweep().expired).toBe(0)
  expect(world.acknowledge(web, offer)).toBe(1)
  expect(world.receipt(id).state).toBe('delivered')
})
