import { expect, test } from 'vitest'
import { GRACE_MS, MESSAGE_TTL_MS } from '../../lib/db/limits.ts'
import { openInMemory } from '../../lib/db/open.ts'
import { bodies, FOLDER, HOUR, openWorld } from './harness.ts'

const DAY = 24 * HOUR

/** Two sessions that write to each other, and a third. */
function openTrio() {
  const world = openWorld()
  return { world, web: world.join('web'), api: world.join('api'), ops: world.join('ops') }
}

const notes = (world: ReturnType<typeof openWorld>, peer: string) =>
  world.consume(peer).messages.filter(({ kind }) => kind === 'note')

test('mail waits for seven days', () => {
  const { world, web, api } = openTrio()
  using _world = world
  const id = world.send(web, api)
  world.advance(7 * DAY - 1)
  expect(world.sweep().expired).toBe(0)
  world.advance(1)
  expect(world.sweep().expired).toBe(1)
  expect(world.receipt(id).state).toBe('expired')
})

test('mail waits as long as the person set', () => {
  const time = { now: Date.UTC(2026, 10, 1) }
  const database = openInMemory({ folder: FOLDER, now: () => time.now, expireAfterMs: 3 * DAY })
  expect(database.expireAfterMs).toBe(3 * DAY)
  database.close()
})

test('the sender of expired mail gets one note for each message, which names all who did not take it', () => {
  const { world, web, api, ops } = openTrio()
  using _world = world
  const id = world.send(web, [api, ops], 'which port?')
  world.advance(MESSAGE_TTL_MS)
  expect(world.sweep().expired).toBe(2)
  world.sweep()
  const found = notes(world, web)
  expect(found).toMatchObject([{ replyTo: id, urgency: 'normal', answered: 'which port?' }])
  expect(found[0]!.body).toMatch(
    /^Message \d+ to (api@laptop, ops@laptop|ops@laptop, api@laptop) expired after 7 days\. It was never delivered\. Send it again if it still matters\.$/,
  )
  expect(world.consume(api).messages).toEqual([])
})

test('a note of expired mail for information is for information', () => {
  const { world, web, api } = openTrio()
  using _world = world
  world.send(web, api, { urgency: 'fyi' })
  world.advance(MESSAGE_TTL_MS)
  world.sweep()
  expect(notes(world, web)).toMatchObject([{ urgency: 'fyi' }])
})

test('a note of mail whose delivery broke does not say that nobody has seen it', () => {
  const { world, web, api } = openTrio()
  using _world = world
  world.send(web, api)
  world.release(api, world.consume(api))
  world.advance(MESSAGE_TTL_MS)
  world.sweep()
  expect(notes(world, web)[0]!.body).toContain('no delivery was confirmed: it may have been seen.')
})

test('a note that expires is told to nobody', () => {
  const { world, web, api } = openTrio()
  using _world = world
  world.send(web, api)
  world.advance(MESSAGE_TTL_MS)
  world.sweep()
  world.advance(MESSAGE_TTL_MS)
  expect(world.sweep().expired).toBe(1)
  expect(world.consume(web).messages).toEqual([])
})

test('a question that expires gets the note of that alone, and is unanswered no more', () => {
  const { world, web, api } = openTrio()
  using _world = world
  const id = world.send(web, api, { replyWithin: MESSAGE_TTL_MS + DAY })
  world.advance(MESSAGE_TTL_MS)
  world.sweep()
  world.advance(2 * DAY)
  expect(world.sweep().overdue).toBe(0)
  expect(bodies(world.consume(web))).toEqual([expect.stringContaining(`Message ${id} to api@laptop expired`)])
  expect(world.database.messages.unanswered({ peerId: web, limit: 10 })).toEqual({ sent: [], owed: [] })
})

test('what is due within the hour waits an hour from when it is granted, and the rest its own time', () => {
  const { world, web, api } = openTrio()
  using _world = world
  const id = world.send(web, api)
  world.advance(DAY)
  const younger = world.send(web, api)
  world.advance(MESSAGE_TTL_MS)
  expect(world.commit(() => world.database.grantGrace())).toBe(2)
  world.advance(GRACE_MS - 1)
  expect(world.sweep().expired).toBe(0)
  world.advance(1)
  expect(world.sweep().expired).toBe(2)
  expect([id, younger].map((one) => world.receipt(one).state)).toEqual(['expired', 'expired'])
})

test('mail that is due and was not swept yet is delivered', () => {
  const { world, web, api } = openTrio()
  using _world = world
  world.send(web, api, 'hello')
  world.advance(2 * MESSAGE_TTL_MS)
  expect(world.database.mailbox.urgent(api)).toBe(1)
  expect(bodies(world.consume(api))).toEqual(['hello'])
})
