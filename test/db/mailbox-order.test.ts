import { expect, test } from 'vitest'
import { LEASE_MS } from '../../lib/db/limits.ts'
import { bodies, openWorld } from './harness.ts'

test('redelivery keeps the order of each sender', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  for (const body of ['1', '2', '3']) world.send(api, web, body)
  expect(bodies(world.consume(web, { budget: 2 }))).toEqual(['1', '2'])
  world.send(api, web, '4')
  world.advance(LEASE_MS)
  const again = world.consume(web, { budget: 3 })
  expect(bodies(again)).toEqual(['1', '2', '3'])
  world.acknowledge(web, again)
  expect(bodies(world.consume(web))).toEqual(['4'])
})

test('while an offer is open, later mail of its senders waits and that of others does not', () => {
  using world = openWorld()
  const [api, web, cli] = [world.join('api'), world.join('web'), world.join('cli')]
  world.send(api, web, 'api 1')
  const open = world.consume(web)
  world.send(api, web, 'api 2')
  world.send(cli, web, 'cli 1')
  const other = world.consume(web)
  expect(bodies(other)).toEqual(['cli 1'])
  expect(other.remaining).toBe(1)
  expect(bodies(world.consume(web))).toEqual([])
  world.acknowledge(web, open)
  expect(bodies(world.consume(web))).toEqual(['api 2'])
})

test('senders take turns, so a chatty one cannot hide the mail of another', () => {
  using world = openWorld()
  const [chatty, calm, web] = [world.join('chatty'), world.join('calm'), world.join('web')]
  for (let number = 1; number <= 50; number++) world.send(chatty, web, `chat ${number}`)
  world.send(calm, web, 'calm 1')
  world.send(calm, web, 'calm 2')
  const offer = world.consume(web, { budget: 30 })
  expect(bodies(offer)).toEqual(['chat 1', 'chat 2', 'chat 3', 'calm 1', 'calm 2'])
  expect(offer.remaining).toBe(47)
})

test('within one turn the oldest message comes first, whoever wrote it', () => {
  using world = openWorld()
  const [api, cli, web] = [world.join('api'), world.join('cli'), world.join('web')]
  world.send(cli, web, 'cli 1')
  world.send(api, web, 'api 1')
  world.send(api, web, 'api 2')
  world.send(cli, web, 'cli 2')
  expect(bodies(world.consume(web))).toEqual(['cli 1', 'api 1', 'api 2', 'cli 2'])
})

test('the first message always fits, however long it is, and leaves no room for others', () => {
  using world = openWorld()
  const [api, cli, web] = [world.join('api'), world.join('cli'), world.join('web')]
  world.send(api, web, 'x'.repeat(60_000))
  world.send(cli, web, 'short')
  const offer = world.consume(web, { budget: 9_500 })
  expect(offer.messages.map((mail) => mail.chars)).toEqual([60_000])
  expect(offer.remaining).toBe(1)
})

test('a message that does not fit waits and blocks only its own sender', () => {
  using world = openWorld()
  const [api, cli, web] = [world.join('api'), world.join('cli'), world.join('web')]
  world.send(api, web, 'first')
  world.send(cli, web, 'x'.repeat(500))
  world.send(cli, web, 'c')
  world.send(api, web, 'second')
  expect(bodies(world.consume(web, { budget: 100 }))).toEqual(['first', 'second'])
})

test('each message costs its overhead besides its characters', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  for (const body of ['12345', '23456', '34567']) world.send(api, web, body)
  expect(world.consume(web, { budget: 20, overhead: 5 }).messages).toHaveLength(2)
})

test('a budget that is spent exactly is not exceeded', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  for (const body of ['12345', '23456', '1']) world.send(api, web, body)
  const offer = world.consume(web, { budget: 10 })
  expect(offer.messages).toHaveLength(2)
  expect(offer.remaining).toBe(1)
})

test('fyi mail alone is not taken by a caller that skips it, and waits for one that does not', () => {
  using world = openWorld()
  const [api, cli, web] = [world.join('api'), world.join('cli'), world.join('web')]
  world.send(api, web, { body: 'for your information', urgency: 'fyi' })
  const skipped = world.consume(web, { skipIfOnlyFyi: true })
  expect(skipped).toMatchObject({ offerId: undefined, messages: [], remaining: 1 })
  world.send(cli, web, 'now please')
  expect(bodies(world.consume(web, { skipIfOnlyFyi: true }))).toEqual(['for your information', 'now please'])
})

test('normal mail that waits behind an open offer does not make a caller take fyi mail it skips', () => {
  using world = openWorld()
  const [api, cli, web] = [world.join('api'), world.join('cli'), world.join('web')]
  world.send(api, web, 'normal 1')
  world.consume(web)
  world.send(api, web, 'normal 2')
  world.send(cli, web, { body: 'fyi', urgency: 'fyi' })
  expect(world.consume(web, { skipIfOnlyFyi: true }).messages).toEqual([])
})

test('a mailbox is drained by consuming again and again, each message once', () => {
  using world = openWorld()
  const senders = ['a', 'b', 'c'].map((name) => world.join(name))
  const web = world.join('web')
  const sent = senders.flatMap((sender) =>
    Array.from({ length: 20 }, (_, number) =>
      world.send(sender, web, `${number}`.padEnd(1 + number * 7, '.')),
    ),
  )
  const got: number[] = []
  for (
    let offer = world.consume(web, { budget: 100 });
    offer.offerId;
    offer = world.consume(web, { budget: 100 })
  ) {
    got.push(...offer.messages.map((mail) => mail.id))
    world.acknowledge(web, offer)
  }
  expect(got.toSorted((a, b) => a - b)).toEqual(sent)
})
