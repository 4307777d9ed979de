import { expect, test } from 'vitest'
import { MESSAGE_TTL_MS, PLACES } from '../../lib/db/limits.ts'
import { bodies, makeDirectory, openFileWorld, openWorld, SECOND, START, type World } from './harness.ts'

const MINUTE = 60 * SECOND

function openPair() {
  const world = openWorld()
  return { world, web: world.join('web'), api: world.join('api') }
}

/** What reached a mailbox, and is delivered by that. */
function take(world: World, peer: string) {
  const offer = world.consume(peer)
  if (offer.offerId) world.acknowledge(peer, offer)
  return offer.messages
}

test('a question without an answer in time is told to its sender, once, and not before', () => {
  const { world, web, api } = openPair()
  using _world = world
  const ask = world.send(web, api, { body: 'which port?', replyWithin: 30 * MINUTE })
  take(world, api)
  world.advance(30 * MINUTE - 1)
  expect(world.sweep().overdue).toBe(0)
  expect(take(world, web)).toEqual([])
  world.advance(1)
  expect(world.sweep().overdue).toBe(1)
  expect(world.sweep().overdue).toBe(0)
  expect(take(world, web)).toMatchObject([
    {
      kind: 'note',
      urgency: 'normal',
      replyTo: ask,
      answered: 'which port?',
      body: `No answer to message ${ask} came from api@laptop within 30 minutes. It was delivered. Go on without it, ask again or ask somebody else; an answer that comes later still reaches you.`,
    },
  ])
  world.advance(MESSAGE_TTL_MS)
  expect(world.sweep().overdue).toBe(0)
})

test('an answer settles the question, comes as mail, and says what it answers', () => {
  const { world, web, api } = openPair()
  using _world = world
  const ask = world.send(web, api, { body: 'which port?', replyWithin: MINUTE })
  expect(take(world, api)).toMatchObject([{ replyBy: world.clock.now + MINUTE, answered: null }])
  const reply = world.send(api, web, { body: '4000', replyTo: ask })
  world.advance(MINUTE)
  expect(world.sweep().overdue).toBe(0)
  expect(take(world, web)).toMatchObject([
    { id: reply, kind: 'message', replyTo: ask, answered: 'which port?', answersAsk: true },
  ])
  expect(world.receipt(ask)).toMatchObject({ replyId: reply, replyExcerpt: '4000' })
})

test('an answer to what was no question is shown as an answer, and asks for none', () => {
  const { world, web, api } = openPair()
  using _world = world
  const first = world.send(web, api, 'by the way')
  world.send(api, web, { replyTo: first })
  expect(take(world, web)).toMatchObject([{ answered: 'by the way', answersAsk: false, replyBy: null }])
})

test('what somebody else said is not shown as the recipient’s own words', () => {
  const { world, web, api } = openPair()
  using _world = world
  const docs = world.join('docs')
  const secret = world.send(web, api, 'for api alone')
  world.send(api, docs, { replyTo: secret })
  expect(take(world, docs)).toMatchObject([{ replyTo: secret, answered: null, answersAsk: false }])
})

test('only the asked settle a question, each its own, by an answer to who asked', () => {
  const { world, web, api } = openPair()
  using _world = world
  const docs = world.join('docs')
  const ask = world.send(web, [api, docs], { replyWithin: MINUTE })
  world.send(api, docs, { replyTo: ask })
  world.send(docs, web, { replyTo: ask })
  world.send(web, api, { replyTo: ask, body: 'well?' })
  world.advance(MINUTE)
  expect(world.sweep().overdue).toBe(1)
  const notes = take(world, web).filter((mail) => mail.kind === 'note')
  expect(bodies({ messages: notes })).toEqual([expect.stringContaining('from api@laptop within a minute')])
})

test('an answer after the note still comes, and is what the receipt shows', () => {
  const { world, web, api } = openPair()
  using _world = world
  const ask = world.send(web, api, { replyWithin: MINUTE })
  world.advance(MINUTE)
  world.sweep()
  expect(take(world, web).map((mail) => mail.kind)).toEqual(['note'])
  take(world, api)
  const reply = world.send(api, web, { body: 'late', replyTo: ask })
  expect(take(world, web)).toMatchObject([{ body: 'late', answersAsk: true }])
  expect(world.receipt(ask)).toMatchObject({ replyId: reply })
  expect(world.sweep().overdue).toBe(0)
})

test('an answer that is taken back leaves the question open, or answered by the one before', () => {
  const { world, web, api } = openPair()
  using _world = world
  const ask = world.send(web, api, { replyWithin: 10 * MINUTE })
  take(world, api)
  const [first, second] = [world.send(api, web, { replyTo: ask }), world.send(api, web, { replyTo: ask })]
  expect(world.receipt(ask).replyId).toBe(second)
  world.retract(api, second)
  expect(world.receipt(ask).replyId).toBe(first)
  world.retract(api, first)
  expect(world.receipt(ask).replyId).toBeNull()
  world.advance(10 * MINUTE)
  expect(world.sweep().overdue).toBe(1)
})

test('a question that was taken back is settled without a word', () => {
  const { world, web, api } = openPair()
  using _world = world
  world.retract(web, world.send(web, api, { replyWithin: MINUTE }))
  world.advance(MINUTE)
  expect(world.sweep().overdue).toBe(0)
  expect(take(world, web)).toEqual([])
})

test.each([
  ['waits', (_world: World, _api: string) => undefined, 'It has not been delivered yet'],
  ['is on offer', (world: World, api: string) => void world.consume(api), 'It is being delivered just now'],
  ['was delivered', (world: World, api: string) => void take(world, api), 'It was delivered.'],
  [
    'was read',
    (world: World, api: string) =>
      void world.confirm(
        api,
        take(world, api).map((mail) => mail.id),
      ),
    'It was delivered and read.',
  ],
])('the note tells that the question %s', (_, act, words) => {
  const { world, web, api } = openPair()
  using _world = world
  world.send(web, api, { replyWithin: MINUTE })
  world.advance(MINUTE)
  act(world, api)
  world.sweep()
  expect(bodies(world.consume(web))).toEqual([expect.stringContaining(words)])
})

test('a question that waits as long as its message gets the note of that alone', () => {
  const { world, web, api } = openPair()
  using _world = world
  const ask = world.send(web, api, { replyWithin: MESSAGE_TTL_MS })
  world.advance(MESSAGE_TTL_MS)
  expect(world.sweep()).toMatchObject({ overdue: 0, expired: 1 })
  expect(world.receipt(ask).state).toBe('expired')
  expect(bodies(world.consume(web))).toEqual([
    expect.stringContaining(`Message ${ask} to api@laptop expired`),
  ])
})

test('a note is no message of the asker: it gets no receipt of it, and does not find it in what it sent', () => {
  const { world, web, api } = openPair()
  using _world = world
  const ask = world.send(web, api, { replyWithin: MINUTE })
  const cursor = world.database.lastSeq()
  world.advance(MINUTE)
  world.sweep()
  const { messages } = world.database
  const sent = (limit = 10) => messages.sentBy({ peerId: web, before: Number.MAX_SAFE_INTEGER, limit })
  expect(sent().map((one) => one.messageId)).toEqual([ask])
  expect(messages.sentSince(web, cursor, 10).map((one) => one.messageId)).toEqual([ask])
  expect(messages.history({ before: Number.MAX_SAFE_INTEGER, limit: 10 }).map((one) => one.kind)).toEqual([
    'note',
    'message',
  ])
})

test('a note reaches a mailbox that is full for everybody else', () => {
  const { world, web, api } = openPair()
  using _world = world
  world.send(web, api, { replyWithin: MINUTE })
  for (let sender = 0; sender < PLACES.own / 50; sender++) {
    const other = world.join(`other-${sender}`)
    for (let count = 0; count < 50; count++) world.send(other, web)
  }
  expect(world.trySend(api, web).kind).toBe('mailbox-full')
  world.advance(MINUTE)
  expect(world.sweep().overdue).toBe(1)
  expect(world.database.mailbox.queued(web)).toBe(PLACES.own + 1)
})

test('many overdue questions are told over several sweeps, each once', () => {
  const { world, web } = openPair()
  using _world = world
  for (let count = 0; count < 60; count++) {
    const others = Array.from({ length: 10 }, (_, index) => world.join(`other-${count}-${index}`))
    world.send(web, others, { replyWithin: MINUTE })
  }
  world.advance(MINUTE)
  expect([world.sweep().overdue, world.sweep().overdue, world.sweep().overdue]).toEqual([500, 100, 0])
  expect(world.database.mailbox.queued(web)).toBe(600)
})

test('a question of before a restart is settled after it, once', () => {
  using directory = makeDirectory()
  let web: string
  {
    using world = openFileWorld(directory.file)
    web = world.join('web')
    world.send(web, world.join('api'), { replyWithin: MINUTE })
  }
  const clock = { now: START + MINUTE }
  for (const overdue of [1, 0]) {
    using world = openFileWorld(directory.file, clock)
    expect(world.sweep().overdue).toBe(overdue)
    expect(world.database.mailbox.queued(web)).toBe(1)
  }
})

test('a sweep that fails leaves neither a note nor a mark', () => {
  const { world, web, api } = openPair()
  using _world = world
  world.send(web, api, { replyWithin: MINUTE })
  world.advance(MINUTE)
  expect(() =>
    world.commit(() => {
      world.database.sweep()
      throw new Error('killed')
    }),
  ).toThrow('killed')
  expect(world.database.mailbox.queued(web)).toBe(0)
  expect(world.sweep().overdue).toBe(1)
})

test('what was sent is listed newest first, and what has no answer apart', () => {
  const { world, web, api } = openPair()
  using _world = world
  const docs = world.join('docs')
  const plain = world.send(web, api)
  const answered = world.send(web, api)
  world.send(web, api, { urgency: 'fyi' })
  world.retract(web, world.send(web, api))
  const reply = world.send(api, web, { replyTo: answered })
  world.send(web, api, { replyTo: reply })
  const counter = world.send(web, api, { replyTo: reply, replyWithin: MINUTE })
  const asked = world.send(docs, web, { replyWithin: MINUTE })
  const { messages } = world.database
  const ids = (limit = 10) => {
    const { sent, owed } = messages.unanswered({ peerId: web, limit })
    return { sent: sent.map((one) => one.messageId), owed: owed.map((one) => one.messageId) }
  }
  expect(ids()).toEqual({ sent: [counter, plain], owed: [] })
  take(world, web)
  expect(ids()).toEqual({ sent: [counter, plain], owed: [asked] })
  world.send(web, docs, { replyTo: asked })
  expect(ids(1)).toEqual({ sent: [counter], owed: [] })
  const sent = messages.sentBy({ peerId: web, before: counter, limit: 2 })
  expect(sent).toHaveLength(2)
  expect(sent.every((one) => one.senderId === web && one.messageId < counter)).toBe(true)
})
