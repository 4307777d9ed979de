import { expect, test } from 'vitest'
import { hashKey, matchesKey } from '../../lib/db/keys.ts'
import { DESKTOP, HOUR, LAPTOP, openWorld } from './harness.ts'

const process1 = { pid: 100, pidStart: 'boot-1' }
const process2 = { pid: 200, pidStart: 'boot-2' }

test('a first session gets a new seat, named after its repository, with a key', () => {
  using world = openWorld()
  const { peer, origin, secret } = world.register({
    root: '/home/me/My_App',
    cwd: '/home/me/My_App/src',
    branch: 'main',
    summary: 'fixes the door',
    sessionId: 'session-1',
    ...process1,
  })
  expect(origin).toBe('new')
  expect(peer).toMatchObject({
    name: 'my-app',
    host: 'laptop',
    kind: 'session',
    root: '/home/me/My_App',
    cwd: '/home/me/My_App/src',
    isRepo: true,
    branch: 'main',
    summary: 'fixes the door',
    sessionId: 'session-1',
    online: false,
    waiting: 0,
    heldSince: world.clock.now,
    ...process1,
  })
  expect(matchesKey(secret!, peer.keyHash)).toBe(true)
})

test('the same process comes back to its seat, whatever its session id and directory are now', () => {
  using world = openWorld()
  const first = world.register({ ...process1, sessionId: 'session-1' })
  world.held.add(first.peer.id)
  const again = world.register({ ...process1, root: '/src/other', sessionId: 'session-2' })
  expect(again).toMatchObject({ origin: 'same-process', peer: { id: first.peer.id, name: 'api' } })
})

test('a process that comes back keeps its summary and how long it has held the seat', () => {
  using world = openWorld()
  const { peer } = world.register({ ...process1, summary: 'first words' })
  world.advance(HOUR)
  const again = world.register({ ...process1, summary: 'words of a restart' })
  expect(again.peer).toMatchObject({
    summary: 'first words',
    heldSince: peer.heldSince,
    seenAt: world.clock.now,
  })
})

test('the stale session id of a process does not replace the one it was bound to since', () => {
  using world = openWorld()
  const { peer } = world.register({ ...process1, sessionId: 'before-clear' })
  world.commit(() => world.database.peers.bindSession(peer.id, 'after-clear'))
  expect(world.register({ ...process1, sessionId: 'before-clear' }).peer.sessionId).toBe('after-clear')
})

test('a session id that the seat never had is newer, also when nobody bound it', () => {
  using world = openWorld()
  world.register({ ...process1, sessionId: 'before-clear' })
  expect(world.register({ ...process1, sessionId: 'after-clear' }).peer.sessionId).toBe('after-clear')
  expect(world.register({ ...process1, sessionId: 'before-clear' }).peer.sessionId).toBe('after-clear')
  expect(world.register(process1).peer.sessionId).toBe('after-clear')
})

test('a process that registered without a session id can still say it', () => {
  using world = openWorld()
  world.register(process1)
  expect(world.register({ ...process1, sessionId: 'session-1' }).peer.sessionId).toBe('session-1')
})

test('a pid that another process has now is not the same process', () => {
  using world = openWorld()
  const first = world.register({ ...process1, root: '/src/api' })
  const second = world.register({ ...process1, pidStart: 'boot-9', root: '/src/web' })
  expect(second).toMatchObject({ origin: 'new', peer: { name: 'web' } })
  expect(second.peer.id).not.toBe(first.peer.id)
})

test('where start times are unknown, a pid counts as the same process only in the same repository', () => {
  using world = openWorld()
  const { peer } = world.register({ pid: 100 })
  world.held.add(peer.id)
  expect(world.register({ pid: 100 })).toMatchObject({ origin: 'same-process', peer: { id: peer.id } })
  expect(world.register({ pid: 100, root: '/src/web' })).toMatchObject({
    origin: 'new',
    peer: { name: 'web' },
  })
})

test('the same pid and start in another pid namespace is another process', () => {
  using world = openWorld()
  const inside = world.register({ ...process1, pidNamespace: '4026531836' })
  world.held.add(inside.peer.id)
  for (const pidNamespace of ['4026532178', undefined]) {
    const other = world.register({ ...process1, pidNamespace })
    expect(other.origin).toBe('new')
    world.held.add(other.peer.id)
  }
  expect(world.register({ ...process1, pidNamespace: '4026531836' })).toMatchObject({
    origin: 'same-process',
    peer: { id: inside.peer.id, pidNamespace: '4026531836' },
  })
})

test('the same pid on another machine is another process', () => {
  using world = openWorld()
  const first = world.register(process1)
  const second = world.register({ ...process1, machine: DESKTOP })
  expect(second).toMatchObject({ origin: 'new', peer: { name: 'api', host: 'desktop' } })
  expect(second.peer.id).not.toBe(first.peer.id)
})

test('a resumed session gets its seat back in a new process, with its mail and its name', () => {
  using world = openWorld()
  const api = world.join('api')
  const { peer } = world.register({ root: '/src/web', ...process1, sessionId: 'session-1' })
  world.send(api, peer.id)
  world.advance(HOUR)
  const resumed = world.register({ root: '/src/web', ...process2, sessionId: 'session-1' })
  expect(resumed).toMatchObject({
    origin: 'resumed',
    peer: { id: peer.id, name: 'web', waiting: 1, ...process2 },
  })
  expect(resumed.peer.heldSince).toBe(peer.heldSince)
})

test('a session resumed in another directory keeps its name', () => {
  using world = openWorld()
  const { peer } = world.register({ ...process1, sessionId: 'session-1' })
  const resumed = world.register({ root: '/tmp/elsewhere', ...process2, sessionId: 'session-1' })
  expect(resumed).toMatchObject({
    origin: 'resumed',
    peer: { id: peer.id, name: 'api', root: '/tmp/elsewhere' },
  })
})

test('a session is found by every id it ever had', () => {
  using world = openWorld()
  const { peer } = world.register({ ...process1, sessionId: 'before-clear' })
  world.commit(() => world.database.peers.bindSession(peer.id, 'after-clear'))
  for (const [index, sessionId] of ['before-clear', 'after-clear'].entries()) {
    const resumed = world.register({ pid: 300 + index, pidStart: 'x', root: '/elsewhere', sessionId })
    expect(resumed).toMatchObject({ origin: 'resumed', peer: { id: peer.id } })
  }
})

test('of two seats with one session id, the one that was bound last is resumed', () => {
  using world = openWorld()
  const first = world.register({ ...process1, sessionId: 'shared' })
  world.held.add(first.peer.id)
  world.advance(1)
  const second = world.register({ ...process2, sessionId: 'shared' })
  world.held.clear()
  const resumed = world.register({ pid: 300, pidStart: 'boot-3', sessionId: 'shared' })
  expect(resumed).toMatchObject({ origin: 'resumed', peer: { id: second.peer.id } })
})

test('two live processes with one session id are two seats', () => {
  using world = openWorld()
  const first = world.register({ ...process1, sessionId: 'shared' })
  world.held.add(first.peer.id)
  const second = world.register({ ...process2, sessionId: 'shared' })
  expect(second).toMatchObject({ origin: 'new', peer: { name: 'api-2' } })
  expect(world.database.peers.get(first.peer.id)).toMatchObject(process1)
})

test('a session id of another machine resumes nothing here', () => {
  using world = openWorld()
  world.register({ ...process1, sessionId: 'session-1' })
  const other = world.register({ machine: DESKTOP, ...process2, root: '/elsewhere', sessionId: 'session-1' })
  expect(other.origin).toBe('new')
})

test('the next session in a repository inherits the seat of one that is gone: name, mail, and a new holder', () => {
  using world = openWorld()
  const web = world.join('web')
  const gone = world.register({ ...process1, sessionId: 'session-1', summary: 'old work' })
  world.send(web, gone.peer.id)
  world.advance(HOUR)
  const successor = world.register({ ...process2, sessionId: 'session-2', summary: 'new work' })
  expect(successor).toMatchObject({
    origin: 'succeeded',
    peer: { id: gone.peer.id, name: 'api', waiting: 1, summary: 'new work', sessionId: 'session-2' },
  })
  expect(successor.peer.heldSince).toBe(world.clock.now)
  expect(world.consume(successor.peer.id).messages[0]).toMatchObject({ heldSince: world.clock.now })
  expect(successor.secret).toBeDefined()
  expect(matchesKey(gone.secret!, successor.peer.keyHash)).toBe(false)
})

test('of several seats that are gone, the one with waiting mail goes first, then the oldest', () => {
  using world = openWorld()
  const web = world.join('web')
  const seats = [1, 2, 3].map((number) => {
    world.advance(1)
    return world.join('api', { pid: number, pidStart: 'x' })
  })
  world.send(web, seats[1]!)
  world.held.clear()
  const order = [4, 5, 6].map((number) => world.join('api', { pid: number, pidStart: 'x' }))
  expect(order).toEqual([seats[1], seats[0], seats[2]])
})

test('a seat that somebody alive holds goes to nobody else', () => {
  using world = openWorld()
  const holder = world.register({ ...process1, sessionId: 'session-1' })
  world.held.add(holder.peer.id)
  const other = world.register({ ...process2, sessionId: 'session-1' })
  expect(other.peer.id).not.toBe(holder.peer.id)
  expect(world.database.peers.get(holder.peer.id)).toEqual(holder.peer)
})

test('another repository, or the same path on another machine, inherits nothing', () => {
  using world = openWorld()
  world.register({ ...process1, root: '/src/api' })
  expect(world.register({ ...process2, root: '/src/web' }).origin).toBe('new')
  expect(world.register({ ...process2, root: '/src/api', machine: DESKTOP }).origin).toBe('new')
})

test('the key is kept by whoever proves it, and replaced for everybody else', () => {
  using world = openWorld()
  const first = world.register(process1)
  const kept = world.register(process1, first.peer.id)
  expect(kept.secret).toBeUndefined()
  expect(kept.peer.keyHash).toBe(hashKey(first.secret!))
  const replaced = world.register(process1)
  expect(matchesKey(replaced.secret!, replaced.peer.keyHash)).toBe(true)
  expect(matchesKey(first.secret!, replaced.peer.keyHash)).toBe(false)
})

test('the proven key of another seat keeps nothing', () => {
  using world = openWorld()
  const web = world.register({ root: '/src/web', ...process2 })
  const api = world.register(process1, web.peer.id)
  expect(api.secret).toBeDefined()
})

test('two processes that register at once get two seats', async () => {
  using world = openWorld()
  const base = {
    machine: LAPTOP,
    kind: 'session',
    root: '/src/api',
    cwd: '/src/api',
    isRepo: true,
    summary: '',
  } as const
  const held = new Set<string>()
  const registered = await Promise.all(
    [process1, process2].map((process) =>
      world.database.queue.run(() => {
        const result = world.database.register(
          { ...base, ...process },
          { isHeld: (peer) => held.has(peer.id) },
        )
        held.add(result.peer.id)
        return result
      }),
    ),
  )
  expect(registered.map(({ peer }) => peer.name)).toEqual(['api', 'api-2'])
})
