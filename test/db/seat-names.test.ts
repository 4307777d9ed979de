import { expect, test } from 'vitest'
import { DESKTOP, LAPTOP, openWorld, type World } from './harness.ts'

test('the human of a machine is one seat called user, without a session, that no session inherits', () => {
  using world = openWorld()
  const user = world.register({ kind: 'user', root: '/home/me' })
  expect(user).toMatchObject({ origin: 'new', peer: { name: 'user', kind: 'user', pid: null } })
  expect(world.register({ kind: 'user', root: '/elsewhere' }).peer.id).toBe(user.peer.id)
  expect(world.register({ kind: 'user', machine: DESKTOP }).peer.id).not.toBe(user.peer.id)
  expect(world.register({ root: '/elsewhere' }).peer.id).not.toBe(user.peer.id)
})

test('names are unique on a machine and may repeat on another', () => {
  using world = openWorld()
  const names = [LAPTOP, LAPTOP, LAPTOP, DESKTOP].map((machine) => {
    const id = world.join('api', { machine })
    return toAddress(world, id)
  })
  expect(names).toEqual(['api@laptop', 'api-2@laptop', 'api-3@laptop', 'api@desktop'])
})

test('no session is called like the human', () => {
  using world = openWorld()
  expect(toAddress(world, world.join('user'))).toBe('user-2@laptop')
  expect(toAddress(world, world.join('all'))).toBe('all-2@laptop')
})

test('a name that became free is given again', () => {
  using world = openWorld()
  const first = world.join('api')
  world.join('api')
  world.database.sqlite.prepare('delete from peers where id = ?').run(first)
  expect(toAddress(world, world.join('api'))).toBe('api@laptop')
})

test('a machine may change its label, and its peers are told with the new one', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const cursor = world.database.lastSeq()
  world.join('cli', { machine: { ...LAPTOP, host: 'Bobs-MacBook.local' } })
  expect(toAddress(world, api)).toBe('api@bobs-macbook-local')
  const told = world.database.peers.changedSince(cursor, 10).map((peer) => peer.id)
  expect(told).toEqual(expect.arrayContaining([api, web]))
})

function toAddress(world: World, id: string): string {
  const peer = world.database.peers.get(id)!
  return `${peer.name}@${peer.host}`
}
