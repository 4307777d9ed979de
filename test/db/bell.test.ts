import { expect, test } from 'vitest'
import { createBell, mailboxTopic, MESSAGES_TOPIC, PEERS_TOPIC } from '../../lib/db/bell.ts'
import { LEASE_MS } from '../../lib/db/limits.ts'
import { listen } from '../harness/listen.ts'
import { openWorld, type World } from './harness.ts'

test('a ring wakes who waits for its topic, and nobody else', async () => {
  const bell = createBell()
  using mine = listen(bell, 'mine')
  using other = listen(bell, 'other')
  const waits = [mine.rung(), isRung(other)]
  bell.note('mine')
  bell.ring()
  expect(await Promise.all(waits)).toEqual([true, false])
})

test('a ring between two waits is kept, once', async () => {
  const bell = createBell()
  using listener = listen(bell, 'topic')
  for (let count = 0; count < 3; count++) {
    bell.note('topic')
    bell.ring()
  }
  expect(await listener.rung()).toBe(true)
  expect(await isRung(listener)).toBe(false)
})

test('no ring is lost between a read and the wait after it', async () => {
  const bell = createBell()
  using listener = listen(bell, 'topic')
  let written = 0
  let read = 0
  for (let round = 0; round < 100; round++) {
    const write = () => {
      written++
      bell.note('topic')
      bell.ring()
    }
    // Before the wait begins, in the same turn, and in a later one.
    if (round % 3 === 0) write()
    const waits = listener.rung()
    if (round % 3 === 1) write()
    if (round % 3 === 2) setImmediate(write)
    expect(await waits).toBe(true)
    read = written
  }
  expect(read).toBe(100)
})

test('what is noted is not heard before the ring', async () => {
  const bell = createBell()
  using listener = listen(bell, 'topic')
  bell.note('topic')
  expect(await isRung(listener)).toBe(false)
  bell.ring()
  expect(await listener.rung()).toBe(true)
})

test('an abort ends the wait, and every later one', async () => {
  const bell = createBell()
  const controller = new AbortController()
  using listener = listen(bell, 'topic', controller.signal)
  const waits = listener.rung()
  controller.abort()
  expect(await waits).toBe(false)
  bell.note('topic')
  bell.ring()
  expect(await listener.rung()).toBe(false)
})

test('a signal that is aborted already is heard', async () => {
  using listener = listen(createBell(), 'topic', AbortSignal.abort())
  expect(await listener.rung()).toBe(false)
})

test('the end of a listener ends its wait and leaves the others of its topic', async () => {
  const bell = createBell()
  const gone = listen(bell, 'topic')
  using stays = listen(bell, 'topic')
  const waits = gone.rung()
  gone[Symbol.dispose]()
  bell.note('topic')
  bell.ring()
  expect(await waits).toBe(false)
  expect(await stays.rung()).toBe(true)
})

test('a write rings after its commit, when a reader can see it', async () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const { bell, mailbox, messages, queue } = world.database
  using listener = listen(bell, mailboxTopic(web))
  const draft = { senderId: api, body: 'hi', urgency: 'normal' } as const
  const sent = queue.run(() => messages.send({ ...draft, recipientIds: [web], idempotencyKey: 'one' }))
  const heard = listener
    .rung()
    .then(() => ({ inTransaction: world.database.sqlite.inTransaction, mail: mailbox.hasMail(web) }))
  await sent
  expect(await heard).toEqual({ inTransaction: false, mail: true })
})

test('a write that is rolled back rings nothing, also when others are committed with it', async () => {
  using world = openWorld()
  const [api, web, cli] = [world.join('api'), world.join('web'), world.join('cli')]
  const { bell, messages, queue } = world.database
  using failed = listen(bell, mailboxTopic(web))
  using committed = listen(bell, mailboxTopic(cli))
  const draft = { senderId: api, body: 'hi', urgency: 'normal' } as const
  const writes = await Promise.allSettled([
    queue.run(() => messages.send({ ...draft, recipientIds: [web, 'p_nobody'], idempotencyKey: 'bad' })),
    queue.run(() => messages.send({ ...draft, recipientIds: [cli], idempotencyKey: 'good' })),
  ])
  expect(writes.map((one) => one.status)).toEqual(['rejected', 'fulfilled'])
  expect(await isRung(committed)).toBe(true)
  expect(await isRung(failed)).toBe(false)
  world.join('later')
  expect(await isRung(failed)).toBe(false)
})

test('each change rings those who must hear of it', async () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const all = [mailboxTopic(api), mailboxTopic(web), MESSAGES_TOPIC]
  expect(await heardOf(world, () => world.send(api, web))).toEqual(all)
  expect(await heardOf(world, () => world.release(web, world.consume(web)))).toEqual(all)
  const offer = world.consume(web)
  expect(await heardOf(world, () => world.acknowledge(web, offer))).toEqual(all)
  const id = world.send(api, web)
  expect(await heardOf(world, () => world.retract(api, id))).toEqual(all)
  world.send(api, web)
  expect(await heardOf(world, () => world.consume(web))).toEqual(all)
  world.advance(LEASE_MS)
  expect(await heardOf(world, () => world.sweep())).toEqual(all)
  expect(await heardOf(world, () => world.commit(() => world.database.peers.setOnline(api, true)))).toEqual([
    PEERS_TOPIC,
  ])
  expect(await heardOf(world, () => world.commit(() => world.database.peers.setOnline(api, true)))).toEqual(
    [],
  )
  expect(await heardOf(world, () => world.commit(() => world.database.peers.setSummary(api, 'x')))).toEqual([
    PEERS_TOPIC,
  ])
  expect(await heardOf(world, () => world.consume(api))).toEqual([])
})

async function heardOf(world: World, work: () => unknown): Promise<string[]> {
  const ids = world.database.peers.list(0).map((peer) => mailboxTopic(peer.id))
  const listeners = [...ids, MESSAGES_TOPIC, PEERS_TOPIC].map((topic) => ({
    topic,
    listener: listen(world.database.bell, topic),
  }))
  work()
  const rung = await Promise.all(listeners.map(({ listener }) => isRung(listener)))
  for (const { listener } of listeners) listener[Symbol.dispose]()
  return listeners.filter((_, index) => rung[index]).map(({ topic }) => topic)
}

/** Whether a ring is kept or comes before everything that is scheduled already has run. */
async function isRung(listener: { rung(): Promise<boolean> }): Promise<boolean> {
  const silence = new Promise<false>((resolve) => setImmediate(resolve, false))
  return Promise.race([listener.rung(), silence])
}
