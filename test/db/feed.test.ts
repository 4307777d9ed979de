import { expect, test } from 'vitest'
import { LEASE_MS, MESSAGE_TTL_MS, RETENTION_MS } from '../../lib/db/limits.ts'
import { makeDirectory, HOUR, openFileWorld, openWorld, type World } from './harness.ts'

/** Every kind of change of many rows at once. */
function makeChanges(world: World): void {
  const [api, web, cli] = ['api', 'web', 'cli'].map((name) => world.join(name)) as [string, string, string]
  const ids = Array.from({ length: 30 }, () => world.send(api, [web, cli]))
  world.acknowledge(web, world.consume(web, { budget: 100 }))
  world.release(web, world.consume(web, { budget: 100 }))
  world.consume(web, { budget: 50 })
  world.consume(cli, { budget: 100 })
  for (const id of ids) world.retract(api, id)
  world.advance(LEASE_MS)
  world.consume(web, { budget: 20 })
  world.sweep()
  world.advance(MESSAGE_TTL_MS)
  world.sweep()
  world.sweep()
  for (const id of [api, web, cli]) {
    world.commit(() => world.database.peers.setOnline(id, true))
    world.commit(() => world.database.peers.setSummary(id, 'works'))
    world.commit(() => world.database.peers.bindSession(id, `session of ${id}`))
  }
}

const numbersOf = (world: World): number[] =>
  world.database.sqlite
    .prepare('select changed_seq from deliveries union all select changed_seq from peers')
    .pluck()
    .all() as number[]

test('every row carries a number of its own, whatever changed it', () => {
  using world = openWorld()
  makeChanges(world)
  const numbers = numbersOf(world)
  // 60 deliveries, three seats, and the notes of those that expired.
  expect(numbers.length).toBeGreaterThan(63)
  expect(new Set(numbers).size).toBe(numbers.length)
  expect(Math.max(...numbers)).toBe(world.database.lastSeq())
})

test('reading page by page loses no row, wherever the page ends', () => {
  using world = openWorld()
  makeChanges(world)
  const { messages, peers } = world.database
  const api = peers.named('api')[0]!.id
  for (const limit of [1, 7, 100]) {
    expect(readPages((cursor) => messages.changedSince(cursor, limit))).toBe(numbersOf(world).length - 3)
    expect(readPages((cursor) => messages.sentSince(api, cursor, limit))).toBe(60)
    expect(readPages((cursor) => peers.changedSince(cursor, limit))).toBe(3)
  }
})

test('a reader at a cursor gets the rows that changed since, each once and as it is now', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const first = world.send(api, web)
  const second = world.send(api, web)
  const cursor = world.database.lastSeq()
  expect(world.database.messages.changedSince(cursor, 10)).toEqual([])
  world.acknowledge(web, world.consume(web))
  const third = world.send(api, web)
  const rows = world.database.messages.changedSince(cursor, 10)
  expect(rows.map((row) => [row.messageId, row.state])).toEqual([
    [first, 'delivered'],
    [second, 'delivered'],
    [third, 'queued'],
  ])
  expect(world.database.messages.sentSince(web, 0, 10)).toEqual([])
})

test('numbers only grow, over every change', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  let last = 0
  for (let round = 0; round < 20; round++) {
    const id = world.send(api, web)
    const seen = [world.receipt(id).changedSeq]
    const offer = world.consume(web)
    seen.push(world.receipt(id).changedSeq)
    world.acknowledge(web, offer)
    seen.push(world.receipt(id).changedSeq)
    for (const number of seen) {
      expect(number).toBeGreaterThan(last)
      last = number
    }
  }
})

test('a number that no row carries is not given again after a restart with a clock that was set back', () => {
  using directory = makeDirectory()
  using world = openFileWorld(directory.file)
  world.join('api')
  // What sessions say that they do takes numbers, and is not stored.
  for (let count = 0; count < 1_000; count++) world.database.nextSeq()
  const last = world.database.lastSeq()
  world.clock.now -= HOUR
  world.restart()
  expect(world.database.nextSeq()).toBeGreaterThan(last)
})

test('numbers grow over a restart, also with a clock that was set back', () => {
  using directory = makeDirectory()
  const clock = { now: Date.UTC(2026, 10, 20) }
  let last: number
  {
    using world = openFileWorld(directory.file, clock)
    makeChanges(world)
    last = world.database.lastSeq()
  }
  clock.now = Date.UTC(2020, 0, 1)
  using world = openFileWorld(directory.file, clock)
  expect(world.database.lastSeq()).toBeGreaterThanOrEqual(last)
  world.join('late')
  expect(Math.max(...numbersOf(world))).toBeGreaterThan(last)
})

test('numbers grow over a restart after the newest rows were forgotten', () => {
  using directory = makeDirectory()
  const clock = { now: Date.UTC(2026, 10, 20) }
  let last: number
  {
    using world = openFileWorld(directory.file, clock)
    const [api, web] = [world.join('api'), world.join('web')]
    world.send(api, web)
    world.acknowledge(web, world.consume(web))
    last = world.database.lastSeq()
    world.advance(RETENTION_MS + 1)
    expect(world.sweep()).toMatchObject({ forgotten: 1, seats: 2 })
  }
  using world = openFileWorld(directory.file, clock)
  expect(world.database.lastSeq()).toBeGreaterThan(last)
})

function readPages(read: (cursor: number) => { changedSeq: number }[]): number {
  let cursor = 0
  let rows = 0
  for (let page = read(cursor); page.length > 0; page = read(cursor)) {
    rows += page.length
    cursor = page.at(-1)!.changedSeq
  }
  return rows
}
