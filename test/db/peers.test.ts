import { expect, test } from 'vitest'
import { HOUR, openWorld } from './harness.ts'

test('a peer is found by its id, and nobody is found by another', () => {
  using world = openWorld()
  const api = world.join('api')
  expect(world.database.peers.get(api)?.name).toBe('api')
  expect(world.database.peers.get('p_nobody')).toBeUndefined()
})

test('the seat alone is as its whole row says now, also after another session took it', () => {
  using world = openWorld()
  const { peers } = world.database
  const { peer } = world.register({ root: '/src/api' })
  expect(peers.get(peer.id)).toMatchObject(peers.seat(peer.id)!)
  world.advance(HOUR)
  const successor = world.register({ root: '/src/api' })
  expect(successor.peer.id).toBe(peer.id)
  expect(peers.seat(peer.id)).toMatchObject({
    keyHash: successor.peer.keyHash,
    heldSince: successor.peer.heldSince,
  })
  expect(peers.seat(peer.id)!.keyHash).not.toBe(peer.keyHash)
  expect(peers.seat('p_nobody')).toBeUndefined()
})

test('the list holds who is online, has mail waiting or was seen lately', () => {
  using world = openWorld()
  const [online, waiting, sender, gone] = ['online', 'waiting', 'sender', 'gone'].map((name) =>
    world.join(name),
  ) as [string, string, string, string]
  world.commit(() => world.database.peers.setOnline(online, true))
  world.send(sender, waiting)
  world.advance(HOUR)
  const recent = world.join('recent')
  const listed = world.database.peers.list(world.clock.now - HOUR).map((peer) => peer.id)
  expect(listed).toEqual([online, recent, waiting])
  expect(listed).not.toContain(gone)
  expect(world.database.peers.list(0)).toHaveLength(5)
})

test('the count of waiting mail holds what is queued and what is on offer', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  world.send(api, web)
  const offer = world.consume(web)
  world.send(api, web)
  expect(world.database.peers.get(web)?.waiting).toBe(2)
  world.acknowledge(web, offer)
  expect(world.database.peers.get(web)?.waiting).toBe(1)
})

test('only a turn between online and offline is a change, and it is marked as a turn', () => {
  using world = openWorld()
  const api = world.join('api')
  const { peers } = world.database
  world.commit(() => peers.setOnline(api, true))
  const online = peers.get(api)!
  expect(online).toMatchObject({ online: true, onlineSeq: online.changedSeq })
  world.commit(() => peers.setOnline(api, true))
  expect(peers.get(api)).toEqual(online)
  world.commit(() => peers.setSummary(api, 'works'))
  const changed = peers.get(api)!
  expect(changed.summary).toBe('works')
  expect(changed.onlineSeq).toBe(online.onlineSeq)
  expect(changed.changedSeq).toBeGreaterThan(online.changedSeq)
  expect(peers.online().map((peer) => peer.id)).toEqual([api])
  world.commit(() => peers.setOnline(api, false))
  expect(peers.counts()).toEqual({ online: 0, known: 1 })
})

test('a session that was cleared has its new id', () => {
  using world = openWorld()
  const api = world.join('api', { sessionId: 'before' })
  const { peers } = world.database
  world.advance(5)
  world.commit(() => peers.bindSession(api, 'after'))
  expect(peers.get(api)).toMatchObject({ sessionId: 'after', seenAt: world.clock.now })
})

test('peers of one name are found on every machine', () => {
  using world = openWorld()
  const ids = ['laptop', 'desktop'].map((host) =>
    world.join('api', { machine: { id: `machine-${host}`, host } }),
  )
  world.join('web')
  const named = world.database.peers.named('api')
  expect(named.map((peer) => [peer.host, peer.id])).toEqual([
    ['desktop', ids[1]],
    ['laptop', ids[0]],
  ])
})
