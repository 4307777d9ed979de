import { expect, test } from 'vitest'
import { MESSAGE_TTL_MS } from '../../lib/db/limits.ts'
import { migrateFile } from '../../lib/db/migrate.ts'
import { FOLDER, LAPTOP, makeDirectory, openFileWorld, openPlain, START, type World } from './harness.ts'
import { writePredecessor } from './predecessor.ts'

const migrate = (file: string, now = START) => migrateFile({ file, folder: FOLDER, now, machine: LAPTOP })
const namesOf = (world: World) => world.database.peers.list(0).map((peer) => `${peer.name}@${peer.host}`)
const historyOf = (world: World) =>
  world.database.messages.history({ before: Number.MAX_SAFE_INTEGER, limit: 1_000 })

const api = { id: 'aaaaaaaa', cwd: '/src/api/src', git_root: '/src/api' }
const web = { id: 'bbbbbbbb', cwd: '/src/web', git_root: null }

test.for([1, 2] as const)('a database of v%s is taken over: seats, waiting mail and history', (version) => {
  using directory = makeDirectory()
  const delivered =
    version === 1
      ? { delivered: 1 }
      : { delivered: 1, status: 'delivered', delivered_at: '2026-11-20T08:40:00Z' }
  writePredecessor(directory.file, {
    version,
    peers: [{ ...api, summary: 'fixes the door' }, web],
    messages: [
      { from_id: api.id, to_id: web.id, text: 'read long ago', ...delivered },
      { from_id: api.id, to_id: web.id, text: 'first' },
      { from_id: web.id, to_id: api.id, text: 'other way' },
      { from_id: api.id, to_id: web.id, text: 'second' },
    ],
  })
  using world = openFileWorld(directory.file)
  expect(namesOf(world)).toEqual(['api@laptop', 'web@laptop'])
  const { peers, messages } = world.database
  expect(peers.named('api')[0]).toMatchObject({
    kind: 'session',
    root: '/src/api',
    cwd: '/src/api/src',
    isRepo: true,
    summary: 'fixes the door',
    online: false,
    pid: null,
    seenAt: Date.UTC(2026, 10, 20, 8),
    waiting: 1,
  })
  expect(messages.counts()).toEqual({ queued: 3, offered: 0, settled: 1 })
  expect(historyOf(world).at(-1)).toMatchObject({
    messageId: 1,
    excerpt: 'read long ago',
    state: 'delivered',
    settledAt: version === 1 ? Date.UTC(2026, 10, 20, 8, 30) : Date.UTC(2026, 10, 20, 8, 40),
  })

  const successor = world.register({ root: '/src/web', pid: 7, pidStart: 'x' })
  expect(successor).toMatchObject({ origin: 'succeeded', peer: { name: 'web', waiting: 2 } })
  const offer = world.consume(successor.peer.id)
  expect(offer.messages.map((mail) => [mail.id, mail.body, mail.attempts])).toEqual([
    [2, 'first', 1],
    [4, 'second', 1],
  ])
  expect(offer.messages[0]!.createdAt).toBeLessThan(offer.messages[0]!.heldSince)
  expect(world.acknowledge(successor.peer.id, offer)).toBe(2)
})

test('mail from and for peers whose rows are gone keeps its two ends', () => {
  using directory = makeDirectory()
  writePredecessor(directory.file, {
    version: 2,
    peers: [api],
    messages: [
      { from_id: 'gone1', to_id: api.id, text: 'from the gone' },
      { from_id: api.id, to_id: 'gone2', text: 'to the gone' },
      { from_id: 'cli', to_id: 'gone1', text: 'between others' },
    ],
  })
  using world = openFileWorld(directory.file)
  expect(namesOf(world)).toEqual(['api@laptop', 'v2-cli@laptop', 'v2-gone1@laptop', 'v2-gone2@laptop'])
  expect(historyOf(world).map((one) => `${one.senderName} → ${one.recipientName}: ${one.state}`)).toEqual([
    'v2-cli → v2-gone1: queued',
    'api → v2-gone2: queued',
    'v2-gone1 → api: queued',
  ])
})

test.for([
  [{ status: 'queued', delivered: 0 }, 'queued'],
  [{ status: 'queued', delivered: 1 }, 'delivered'],
  [{ status: 'delivered', delivered: 0 }, 'delivered'],
  [{ status: 'delivered', delivered: 1 }, 'delivered'],
  [{ status: 'pending', delivered: 0 }, 'queued'],
  [{ status: 'failed', delivered: 0 }, 'queued'],
  [{ status: '', delivered: 0 }, 'queued'],
  [{ status: 'acked', delivered: 1 }, 'delivered'],
] as const)('a message of %o is %s', ([columns, state]) => {
  using directory = makeDirectory()
  writePredecessor(directory.file, {
    version: 2,
    peers: [api, web],
    messages: [{ from_id: api.id, to_id: web.id, text: 'x', ...columns }],
  })
  using world = openFileWorld(directory.file)
  expect(historyOf(world)[0]?.state).toBe(state)
})

test('odd times do no harm: what waits has its whole time from now', () => {
  using directory = makeDirectory()
  const odd = ['', 'yesterday', '0000-00-00', '9999-12-31T23:59:59Z', '1969-01-01', 42, '2026-11-20 08:15:00']
  writePredecessor(directory.file, {
    version: 2,
    peers: odd.map((time, number) => ({
      id: `peer${number}`,
      cwd: `/src/${number}`,
      last_seen: time,
      registered_at: time,
    })),
    messages: odd.map((time, number) => ({
      from_id: `peer${number}`,
      to_id: 'peer0',
      text: 'x',
      sent_at: time,
    })),
  })
  using world = openFileWorld(directory.file)
  const rows = historyOf(world)
  expect(rows).toHaveLength(odd.length)
  for (const row of rows) {
    expect(row.queuedAt).toBeGreaterThan(0)
    expect(row.queuedAt).toBeLessThanOrEqual(START)
    expect(row.expiresAt).toBe(START + MESSAGE_TTL_MS)
  }
  expect(rows[0]?.queuedAt).toBe(Date.UTC(2026, 10, 20, 8, 15))
  expect(world.sweep().expired).toBe(0)
  expect(world.consume(rows[0]!.recipientId).messages).toHaveLength(odd.length)
})

test('texts of any length and kind come along whole', () => {
  using directory = makeDirectory()
  const long = '📨é'.repeat(50_000)
  writePredecessor(directory.file, {
    version: 2,
    peers: [api, web],
    messages: [long, '', Buffer.from('bytes'), "it's; drop table"].map((text) => ({
      from_id: api.id,
      to_id: web.id,
      text,
    })),
  })
  using world = openFileWorld(directory.file)
  const { peers, mailbox } = world.database
  const mail = mailbox.peek(peers.named('web')[0]!.id, 10)
  expect(mail.map((one) => one.body)).toEqual([long, '(empty message)', 'bytes', "it's; drop table"])
  expect(mail[0]?.chars).toBe(long.length)
})

test('names that v2 gave twice, or that are ours, are told apart', () => {
  using directory = makeDirectory()
  const named = (id: string, name: string, more = {}) => ({ id, cwd: `/src/${id}`, name, ...more })
  writePredecessor(directory.file, {
    version: 2,
    peers: [
      named('a', 'api'),
      named('b', 'api'),
      named('c', 'API'),
      named('d', 'user'),
      named('e', ''),
      named('f', 'api', { host: 'desktop', machine_id: 'desktop-id' }),
    ],
    messages: [],
  })
  using world = openFileWorld(directory.file)
  expect(namesOf(world)).toEqual([
    'api@desktop',
    'api@laptop',
    'api-2@laptop',
    'api-3@laptop',
    'e@laptop',
    'user-2@laptop',
  ])
})

test('a peer of another machine that v2 knew by its label comes home when that machine registers', () => {
  using directory = makeDirectory()
  const remote = { ...web, id: 'cccccccc', host: 'Desktop' }
  writePredecessor(directory.file, {
    version: 2,
    peers: [{ ...api, host: 'laptop' }, remote],
    messages: [{ from_id: api.id, to_id: remote.id, text: 'for the desktop' }],
  })
  using world = openFileWorld(directory.file)
  expect(namesOf(world)).toEqual(['api@laptop', 'web@desktop'])
  const here = world.register({ root: web.cwd, pid: 1, pidStart: 'x' })
  expect(here).toMatchObject({ origin: 'new', peer: { name: 'web', host: 'laptop', waiting: 0 } })
  const there = world.register({
    root: web.cwd,
    pid: 1,
    pidStart: 'x',
    machine: { id: 'desktop-id', host: 'desktop' },
  })
  expect(there).toMatchObject({
    origin: 'succeeded',
    peer: { name: 'web', host: 'desktop', waiting: 1, machineId: 'desktop-id' },
  })
  expect(world.database.peers.named('web')).toHaveLength(2)
})

test('peers of one machine are together, whether their row has its id or its label', () => {
  using directory = makeDirectory()
  writePredecessor(directory.file, {
    version: 2,
    peers: [
      { ...api, host: 'laptop', machine_id: LAPTOP.id },
      { id: 'c', cwd: '/src/c', host: 'desktop' },
      { id: 'd', cwd: '/src/d', host: 'desktop', machine_id: 'desktop-id' },
      { id: 'e', cwd: '/src/e', host: '' },
    ],
    messages: [],
  })
  using world = openFileWorld(directory.file)
  const machines = world.database.peers.list(0).map((peer) => [peer.name, peer.machineId])
  expect(Object.fromEntries(machines)).toEqual({
    api: LAPTOP.id,
    c: 'desktop-id',
    d: 'desktop-id',
    e: LAPTOP.id,
  })
})

test('numbers go on after the last one that v2 gave, also when its newest messages were deleted', () => {
  using directory = makeDirectory()
  writePredecessor(directory.file, {
    version: 2,
    peers: [api, web],
    messages: Array.from({ length: 9 }, () => ({ from_id: api.id, to_id: web.id, text: 'x' })),
  })
  {
    using sqlite = openPlain(directory.file)
    sqlite.exec('delete from messages where id > 3')
  }
  using world = openFileWorld(directory.file)
  expect(historyOf(world).map((one) => one.messageId)).toEqual([3, 2, 1])
  expect(world.send(world.join('one'), world.join('two'))).toBe(10)
})

test('a database without a single message or peer is taken over', () => {
  using directory = makeDirectory()
  writePredecessor(directory.file, { version: 1, peers: [], messages: [] })
  expect(migrate(directory.file).outcome).toBe('adopted')
  using world = openFileWorld(directory.file)
  expect(world.send(world.join('one'), world.join('two'))).toBe(1)
})
