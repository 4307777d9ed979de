import { describe, expect, test } from 'vitest'
import { NOTIFY_AFTER_MS } from '../../lib/db/limits.ts'
import { makeDirectory, openFileWorld, openWorld, SECOND, START, type World } from './harness.ts'

/** What the person is told of now: marks it, as the hub does. */
function tell(world: World, limit = 100): number[] {
  const before = world.clock.now - NOTIFY_AFTER_MS
  const { notifications } = world.database
  return world.commit(() =>
    notifications
      .recipients(before)
      .flatMap((id) => notifications.take(id, { before, limit }))
      .map((unread) => unread.messageId),
  )
}

function openPair() {
  const world = openWorld()
  return {
    world,
    web: world.join('web'),
    api: world.join('api'),
    [Symbol.dispose]: () => world.database.close(),
  }
}

test('mail is told of after 90 seconds in the queue, and once', () => {
  using pair = openPair()
  const { world, web, api } = pair
  const id = world.send(web, api)
  world.advance(90 * SECOND - 1)
  expect(tell(world)).toEqual([])
  world.advance(1)
  expect(tell(world)).toEqual([id])
  expect(world.receipt(id).notifiedAt).toBe(world.clock.now)
  world.advance(3_600 * SECOND)
  expect(tell(world)).toEqual([])
})

test('who wrote, to whom and when comes with it, oldest first and not more than asked for', () => {
  using pair = openPair()
  const { world, web, api } = pair
  const first = world.send(web, api)
  world.advance(SECOND)
  world.send(web, api)
  world.advance(NOTIFY_AFTER_MS)
  const unread = world.commit(() =>
    world.database.notifications.take(api, { before: world.clock.now, limit: 1 }),
  )
  expect(unread).toEqual([{ messageId: first, recipientId: api, from: 'web@laptop', queuedAt: START }])
  expect(tell(world)).toHaveLength(1)
})

/** Nobody answers a question; returns the note about that, which has waited for as long as it takes to be told of. */
function waitForNote(world: World, asker: string): number {
  world.send(asker, world.join('docs'), { replyWithin: 60 * SECOND })
  world.advance(60 * SECOND)
  world.sweep()
  world.advance(NOTIFY_AFTER_MS)
  const [note] = world.database.mailbox.peek(asker, 1)
  expect(note).toMatchObject({ kind: 'note' })
  return note!.id
}

test('that no answer came is for the session that asked, and is never told of', () => {
  using pair = openPair()
  const { world, web } = pair
  const note = waitForNote(world, web)
  expect(tell(world)).toHaveLength(1)
  expect(world.receipt(note).notifiedAt).toBeNull()
})

test('that no answer came to the person is told of, as a word of the network', () => {
  using pair = openPair()
  const { world } = pair
  const user = world.join('user', { kind: 'user' })
  const note = waitForNote(world, user)
  const options = { before: world.clock.now, limit: 9 }
  expect(world.database.notifications.recipients(options.before)).toContain(user)
  expect(world.commit(() => world.database.notifications.take(user, options))).toMatchObject([
    { messageId: note, from: 'claude-peers' },
  ])
})

describe('it is never told of', () => {
  test.each<[string, (world: World, api: string, web: string) => void]>([
    ['what is for information only', (world, api, web) => void world.send(web, api, { urgency: 'fyi' })],
    ['what is on its way', (world, api, web) => void (world.send(web, api), world.consume(api))],
    [
      'what has arrived',
      (world, api, web) => {
        world.send(web, api)
        world.acknowledge(api, world.consume(api))
      },
    ],
    ['what was taken back', (world, api, web) => void world.retract(web, world.send(web, api))],
  ])('%s', (_, happens) => {
    using pair = openPair()
    const { world, web, api } = pair
    happens(world, api, web)
    world.advance(NOTIFY_AFTER_MS)
    expect(tell(world)).toEqual([])
  })
})

test('what comes back to the queue after it was told of is not told of again', () => {
  using pair = openPair()
  const { world, web, api } = pair
  world.send(web, api)
  world.advance(NOTIFY_AFTER_MS)
  expect(tell(world)).toHaveLength(1)
  world.consume(api)
  world.advance(60 * SECOND)
  world.sweep()
  world.advance(NOTIFY_AFTER_MS)
  expect(tell(world)).toEqual([])
})

test('each recipient of one message counts by itself', () => {
  using pair = openPair()
  const { world, web, api } = pair
  const docs = world.join('docs')
  const id = world.send(web, [api, docs])
  world.advance(NOTIFY_AFTER_MS)
  const before = world.clock.now
  expect(world.commit(() => world.database.notifications.take(api, { before, limit: 9 }))).toHaveLength(1)
  expect(world.database.notifications.recipients(before)).toEqual([docs])
  const told = world.database.messages.receipts(id).filter((receipt) => receipt.notifiedAt !== null)
  expect(told.map((receipt) => receipt.recipientId)).toEqual([api])
})

test('the sender’s feed gets the receipt of it', () => {
  using pair = openPair()
  const { world, web, api } = pair
  const id = world.send(web, api)
  const cursor = world.database.lastSeq()
  world.advance(NOTIFY_AFTER_MS)
  tell(world)
  expect(world.database.messages.sentSince(web, cursor, 10)).toMatchObject([{ messageId: id }])
})

test('it is not told of again by the next hub on the same file', () => {
  using directory = makeDirectory()
  const clock = { now: START }
  {
    using world = openFileWorld(directory.file, clock)
    world.send(world.join('web'), world.join('api'))
    world.advance(NOTIFY_AFTER_MS)
    expect(tell(world)).toHaveLength(1)
  }
  using world = openFileWorld(directory.file, clock)
  expect(tell(world)).toEqual([])
})
