import { expect, test } from 'vitest'
import { hashKey, matchesKey } from '../../lib/db/keys.ts'
import type { Registration } from '../../lib/db/registration.ts'
import { DESKTOP, HOUR, LAPTOP, openWorld, SECOND } from './harness.ts'

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

test('of seats with one session id, the one with waiting mail is resumed, then the oldest', () => {
  using world = openWorld()
  const web = world.join('web')
  const seats = [1, 2, 3].map((pid) => {
    world.advance(1)
    const { peer } = world.register({ pid, pidStart: 'x', sessionId: 'shared' })
    world.held.add(peer.id)
    return peer.id
  })
  world.send(web, seats[1]!)
  world.held.clear()
  const order = [4, 5, 6].map((pid) => {
    const { peer, origin } = world.register({ pid, pidStart: 'x', sessionId: 'shared' })
    world.held.add(peer.id)
    return [origin, peer.id]
  })
  expect(order).toEqual([1, 0, 2].map((index) => ['resumed', seats[index]]))
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

const OLD = '/src/api'
const NEW = '/elsewhere/api'
const moved = (wanted: Partial<Registration>) => ({ ...process2, root: NEW, formerRoots: [OLD], ...wanted })

test.each([
  ['with the same origin and name', { remote: 'r' }, { remote: 'r' }],
  ['with the same place on the disk', { place: '1:2:3' }, { place: '1:2:3', root: '/elsewhere/renamed' }],
])('a repository that was moved, %s, gets its name and its mail back', (_, before, now) => {
  using world = openWorld()
  const web = world.join('web')
  const { peer } = world.register({ ...process1, ...before })
  world.send(web, peer.id)
  const wanted = moved(now)
  expect(world.database.formerRoots({ machine: LAPTOP, ...wanted })).toMatchObject([{ root: OLD }])
  const next = world.register(wanted)
  expect(next).toMatchObject({
    origin: 'succeeded',
    peer: { id: peer.id, name: 'api', waiting: 1, root: wanted.root, home: wanted.root },
  })
  // From now on it is at home there.
  world.held.clear()
  expect(world.register({ pid: 300, pidStart: 'x', root: wanted.root }).peer.id).toBe(peer.id)
})

test.each([
  ['whose root is still there', { remote: 'r', formerRoots: [] }],
  ['of another origin', { remote: 'other' }],
  ['of the same origin with another name', { remote: 'r', root: '/elsewhere/web' }],
  ['with nothing but its name', {}],
  ['on another machine', { remote: 'r', machine: DESKTOP }],
  ['in another pid namespace, which cannot see the old root', { remote: 'r', pidNamespace: '1' }],
])('the mail of a repository %s stays where it is', (_, now) => {
  using world = openWorld()
  world.register({ ...process1, remote: 'r', place: '1:2:3' })
  expect(world.register(moved(now)).origin).toBe('new')
})

test('a live session keeps its seat when its repository is opened elsewhere', () => {
  using world = openWorld()
  const { peer } = world.register({ ...process1, remote: 'r' })
  world.held.add(peer.id)
  expect(world.register(moved({ remote: 'r' })).origin).toBe('new')
})

test('another repository at the same path inherits nothing, a new clone of the same one does', () => {
  using world = openWorld()
  const { peer } = world.register({ ...process1, remote: 'r', place: '1:2:3' })
  expect(world.register({ ...process2, remote: 'other', place: '1:2:4' }).origin).toBe('new')
  expect(world.register({ ...process2, pid: 300, remote: 'r', place: '1:2:5' }).peer.id).toBe(peer.id)
})

test('two containers with other projects at one path inherit nothing of each other', () => {
  using world = openWorld()
  const { peer } = world.register({ ...process1, pidNamespace: '1', place: '1:2:3' })
  const other = world.register({ ...process2, pidNamespace: '2', place: '1:9:9' })
  expect(other.origin).toBe('new')
  const again = world.register({ ...process1, pidNamespace: '3', pidStart: 'y', place: '1:2:3' })
  expect(again).toMatchObject({ origin: 'succeeded', peer: { id: peer.id } })
})

test('the mail of a session that went on in another repository stays with its own', () => {
  using world = openWorld()
  const web = world.join('web')
  const { peer } = world.register({ ...process1, sessionId: 'one', place: '1:2:3' })
  world.register({ ...process2, root: '/src/tools', sessionId: 'one', place: '7:8:9' })
  world.send(web, peer.id)
  const tools = world.register({ pid: 300, pidStart: 'x', root: '/src/tools', place: '7:8:9' })
  expect(tools).toMatchObject({ origin: 'new', peer: { name: 'tools', waiting: 0 } })
  expect(world.register({ pid: 400, pidStart: 'x', place: '1:2:3' }).peer.id).toBe(peer.id)
})

test('a registration that is withdrawn leaves no seat, and its predecessor as it was', () => {
  using world = openWorld()
  const web = world.join('web')
  const check = world.register({ ...process1, root: '/src/new', sessionId: 'check' })
  expect(world.commit(() => world.database.withdraw(check.peer.id))).toBe(true)
  expect(world.database.peers.get(check.peer.id)).toBeUndefined()

  const first = world.register({ ...process1, sessionId: 'one', summary: 'its words' })
  world.send(web, first.peer.id)
  const before = world.database.peers.get(first.peer.id)!
  world.advance(HOUR)
  world.register({ ...process2, sessionId: 'check', summary: 'of a check' })
  expect(world.commit(() => world.database.withdraw(first.peer.id))).toBe(true)
  const { changedSeq: _, ...rest } = before
  expect(world.database.peers.get(first.peer.id)).toMatchObject(rest)
  expect(world.commit(() => world.database.withdraw(first.peer.id))).toBe(false)
  // Its session comes back as if nothing had been, and the check's id means nothing.
  expect(world.register({ pid: 9, pidStart: 'x', sessionId: 'one' })).toMatchObject({ origin: 'resumed' })
  world.held.add(first.peer.id)
  expect(world.register({ pid: 10, pidStart: 'x', root: '/x', sessionId: 'check' }).origin).toBe('new')
})

test('a withdrawn seat stays when mail has come for it, and after a minute', () => {
  using world = openWorld()
  const web = world.join('web')
  const withMail = world.register({ ...process1, root: '/src/a' })
  world.send(web, withMail.peer.id)
  expect(world.commit(() => world.database.withdraw(withMail.peer.id))).toBe(false)
  const late = world.register({ ...process2, root: '/src/b' })
  world.advance(61 * SECOND)
  expect(world.commit(() => world.database.withdraw(late.peer.id))).toBe(false)
  expect(world.database.peers.get(late.peer.id)).toBeDefined()
})
