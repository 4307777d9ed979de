import { expect, test } from 'vitest'
import { LEASE_MS, MESSAGE_TTL_MS, RETENTION_MS } from '../../lib/db/limits.ts'
import { HOUR, openWorld } from './harness.ts'

test('a sweep with nothing to do changes nothing', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  world.send(api, web)
  const before = world.database.lastSeq()
  expect(world.sweep()).toEqual({ requeued: 0, overdue: 0, expired: 0, forgotten: 0, seats: 0 })
  expect(world.database.lastSeq()).toBe(before)
})

test('mail whose lease is over is queued again, and that of an open lease is not', () => {
  using world = openWorld()
  const [api, web, cli] = [world.join('api'), world.join('web'), world.join('cli')]
  const over = world.send(api, web)
  world.consume(web)
  world.advance(LEASE_MS - 1)
  const open = world.send(api, cli)
  world.consume(cli)
  expect(world.sweep().requeued).toBe(0)
  world.advance(1)
  expect(world.sweep().requeued).toBe(1)
  expect([world.receipt(over).state, world.receipt(open).state]).toEqual(['queued', 'offered'])
})

test('a clock that was set back leaves no lease longer than 30 seconds', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const id = world.send(api, web)
  world.consume(web)
  world.advance(-HOUR)
  expect(world.sweep().requeued).toBe(0)
  world.advance(LEASE_MS - 1)
  expect(world.sweep().requeued).toBe(0)
  world.advance(1)
  expect(world.sweep().requeued).toBe(1)
  expect(world.receipt(id).state).toBe('queued')
})

test('mail that waited too long expires, also when it had been offered before', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const ids = [world.send(api, web), world.send(api, web)]
  world.advance(MESSAGE_TTL_MS - LEASE_MS - 1)
  world.release(web, world.consume(web, { budget: 1 }))
  world.advance(LEASE_MS)
  expect(world.sweep().expired).toBe(0)
  world.advance(1)
  expect(world.sweep().expired).toBe(2)
  for (const id of ids) {
    expect(world.receipt(id)).toMatchObject({ state: 'expired', settledAt: world.clock.now })
  }
  expect(world.consume(web).messages).toEqual([])
})

test('mail on offer does not expire before its lease is over', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const id = world.send(api, web)
  world.advance(MESSAGE_TTL_MS - 1)
  world.consume(web)
  world.advance(1)
  expect(world.sweep()).toMatchObject({ requeued: 0, expired: 0 })
  world.advance(LEASE_MS)
  expect(world.sweep()).toMatchObject({ requeued: 1, expired: 1 })
  expect(world.receipt(id).state).toBe('expired')
})

test('settled messages are forgotten after 30 days, waiting ones and younger ones are not', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const old = world.send(api, web)
  world.acknowledge(web, world.consume(web))
  world.advance(RETENTION_MS)
  const young = world.send(api, web)
  world.acknowledge(web, world.consume(web))
  const waiting = world.send(api, web)
  expect(world.sweep().forgotten).toBe(0)
  world.advance(1)
  expect(world.sweep().forgotten).toBe(1)
  expect(world.database.messages.receipts(old)).toEqual([])
  expect([world.receipt(young).state, world.receipt(waiting).state]).toEqual(['delivered', 'queued'])
  const bodies = world.database.sqlite.prepare('select count(*) from messages').pluck().get()
  expect(bodies).toBe(2)
})

test('a message stays whole until its last recipient is forgotten', () => {
  using world = openWorld()
  const [api, web, cli] = [world.join('api'), world.join('web'), world.join('cli')]
  for (const peer of [api, web, cli]) world.commit(() => world.database.peers.setOnline(peer, true))
  const draft = { idempotencyKey: 'one', body: 'hello' }
  const id = world.send(api, [web, cli], draft)
  world.acknowledge(web, world.consume(web))
  world.advance(MESSAGE_TTL_MS - 1)
  world.acknowledge(cli, world.consume(cli))
  world.advance(RETENTION_MS - MESSAGE_TTL_MS + 2)
  world.sweep()
  expect(world.database.messages.receipts(id)).toHaveLength(2)
  expect(world.trySend(api, [web, cli], draft)).toEqual({ kind: 'repeated', messageId: id })
  world.advance(RETENTION_MS)
  expect(world.sweep().forgotten).toBe(1)
  expect(world.trySend(api, [web, cli], draft).kind).toBe('sent')
})

test('a number is not given again after its message was forgotten', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  for (const peer of [api, web]) world.commit(() => world.database.peers.setOnline(peer, true))
  const id = world.send(api, web)
  world.acknowledge(web, world.consume(web))
  world.advance(RETENTION_MS + 1)
  expect(world.sweep().forgotten).toBe(1)
  expect(world.send(api, web)).toBeGreaterThan(id)
})

test('a large clean-up is spread over several sweeps', () => {
  using world = openWorld()
  const web = world.join('web')
  for (let sender = 0; sender < 20; sender++) {
    const api = world.join(`api-${sender}`)
    for (let count = 0; count < 30; count++) world.send(api, web)
  }
  world.advance(MESSAGE_TTL_MS)
  expect([world.sweep().expired, world.sweep().expired, world.sweep().expired]).toEqual([500, 100, 0])
  world.advance(RETENTION_MS + 1)
  expect([world.sweep().forgotten, world.sweep().forgotten, world.sweep().forgotten]).toEqual([500, 100, 0])
})

test('a seat that nobody used for 30 days and no message mentions is removed, with its sessions', () => {
  using world = openWorld()
  world.join('old', { sessionId: 'session-1' })
  world.advance(RETENTION_MS)
  world.join('young')
  expect(world.sweep().seats).toBe(0)
  world.advance(1)
  expect(world.sweep().seats).toBe(1)
  expect(world.database.peers.list(0).map((peer) => peer.name)).toEqual(['young'])
  expect(world.database.sqlite.prepare('select count(*) from sessions').pluck().get()).toBe(0)
})

test('a seat stays while it is online, or while a message mentions it', () => {
  using world = openWorld()
  const [online, sender, recipient] = ['online', 'sender', 'recipient'].map((name) => world.join(name)) as [
    string,
    string,
    string,
  ]
  world.commit(() => world.database.peers.setOnline(online, true))
  world.advance(RETENTION_MS - 1)
  world.send(sender, recipient)
  world.advance(2)
  expect(world.sweep().seats).toBe(0)
  world.advance(MESSAGE_TTL_MS)
  world.sweep()
  world.acknowledge(sender, world.consume(sender))
  world.advance(RETENTION_MS + 1)
  world.sweep()
  expect(world.sweep().seats).toBe(0)
  expect(world.database.peers.list(0).map((peer) => peer.id)).toEqual([online])
})

test('the seat of the human stays however long the human is silent', () => {
  using world = openWorld()
  const user = world.register({ kind: 'user', root: '/home/me' }).peer
  world.advance(RETENTION_MS * 2)
  expect(world.sweep().seats).toBe(0)
  expect(world.database.peers.get(user.id)?.name).toBe('user')
})

test('seats that must stay do not keep others from being removed', () => {
  using world = openWorld()
  const web = world.join('web')
  const busy = Array.from({ length: 501 }, (_, number) => world.join(`busy-${number}`))
  const idle = world.join('idle')
  world.advance(HOUR)
  for (const sender of busy) world.send(sender, web)
  world.acknowledge(web, world.consume(web))
  world.advance(RETENTION_MS - HOUR / 2)
  expect(world.sweep()).toEqual({ requeued: 0, overdue: 0, expired: 0, forgotten: 0, seats: 1 })
  expect(world.database.peers.get(idle)).toBeUndefined()
})
