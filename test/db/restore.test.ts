import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { backUpDatabase } from '../../lib/db/backup.ts'
import { LEASE_MS, MESSAGE_TTL_MS } from '../../lib/db/limits.ts'
import { restoreDatabase, type RestoreOptions } from '../../lib/db/restore.ts'
import { bodies, FOLDER, HOUR, LAPTOP, makeDirectory, openFileWorld, openPlain, START } from './harness.ts'
import { addMigration, REBUILD } from './migration.ts'
import { writePredecessor } from './predecessor.ts'

const restore = (options: Pick<RestoreOptions, 'file' | 'from'> & Partial<RestoreOptions>) =>
  restoreDatabase({ folder: FOLDER, machineId: LAPTOP.id, now: START, ...options })

const backUp = (file: string, target: string) => backUpDatabase({ file, target, folder: FOLDER, now: START })

/** A database that was backed up with mail waiting, and went on: the mail was read, and more was sent. */
async function openLater(directory: { path: string; file: string }) {
  const world = openFileWorld(directory.file)
  const [api, web] = [world.join('api'), world.join('web')]
  const waiting = world.send(api, web, 'waiting')
  const from = join(directory.path, 'backup.db')
  await backUp(directory.file, from)
  world.acknowledge(web, world.consume(web))
  const lost = world.send(api, web, 'sent after the backup')
  world[Symbol.dispose]()
  return { api, web, waiting, lost, from }
}

describe('a restored database', () => {
  test('has the mail of the backup, and says at its delivery that it may have been seen before', async () => {
    using directory = makeDirectory()
    const { api, web, waiting, lost, from } = await openLater(directory)
    const restored = restore({ file: directory.file, from })
    expect(restored).toMatchObject({ waiting: 1, applied: 0, knowsMachine: true })
    using world = openFileWorld(directory.file)
    const offer = world.consume(web)
    expect(bodies(offer)).toEqual(['waiting'])
    expect(offer.messages[0]).toMatchObject({ id: waiting, attempts: 2 })
    expect(world.database.messages.receipts(lost)).toEqual([])
    expect(world.acknowledge(web, offer)).toBe(1)
    // What is sent from now on is new to everybody.
    world.send(api, web, { idempotencyKey: 'new' })
    expect(world.consume(web).messages).toMatchObject([{ attempts: 1 }])
  })

  test('gives no message a number that another may have had', async () => {
    using directory = makeDirectory()
    const { api, web, lost, from } = await openLater(directory)
    const { nextMessageId } = restore({ file: directory.file, from })
    using world = openFileWorld(directory.file)
    expect(world.send(api, web, { idempotencyKey: 'new' })).toBe(nextMessageId)
    expect(nextMessageId).toBeGreaterThan(lost + 1_000)
  })

  test('tells another history than the backup, and than the one that it takes the place of', async () => {
    using directory = makeDirectory()
    const { from } = await openLater(directory)
    const epochs = [epochOf(directory.file), epochOf(from)]
    restore({ file: directory.file, from })
    epochs.push(epochOf(directory.file))
    restore({ file: directory.file, from })
    epochs.push(epochOf(directory.file))
    expect(epochs[0]).toBe(epochs[1])
    expect(new Set(epochs).size).toBe(3)
  })

  test('gives the mail its whole time again, and an offer under way back', async () => {
    using directory = makeDirectory()
    const world = openFileWorld(directory.file)
    const [api, web] = [world.join('api'), world.join('web')]
    world.send(api, web, 'on offer')
    const offer = world.consume(web)
    const from = join(directory.path, 'backup.db')
    await backUp(directory.file, from)
    world[Symbol.dispose]()
    const now = START + 2 * MESSAGE_TTL_MS
    restore({ file: directory.file, from, now })
    using later = openFileWorld(directory.file, { now: now + MESSAGE_TTL_MS - HOUR })
    expect(later.sweep()).toMatchObject({ expired: 0, requeued: 0 })
    expect(later.consume(web).messages).toMatchObject([{ body: 'on offer', attempts: 2 }])
    later.advance(LEASE_MS)
    later.sweep()
    // The hook that had it before the backup may be late.
    expect(later.acknowledge(web, offer)).toBe(0)
  })

  test('counts the acknowledgement of an offer that was made before the backup', async () => {
    using directory = makeDirectory()
    const world = openFileWorld(directory.file)
    const [api, web] = [world.join('api'), world.join('web')]
    const id = world.send(api, web, 'on offer')
    const offer = world.consume(web)
    const from = join(directory.path, 'backup.db')
    await backUp(directory.file, from)
    world[Symbol.dispose]()
    restore({ file: directory.file, from })
    using later = openFileWorld(directory.file)
    expect(later.acknowledge(web, offer)).toBe(1)
    expect(later.receipt(id).state).toBe('delivered')
  })

  test('is one owner-only file, beside the one that it replaced', async () => {
    using directory = makeDirectory()
    const { from } = await openLater(directory)
    const { kept } = restore({ file: directory.file, from, now: Date.UTC(2026, 10, 20, 9, 30, 15) })
    expect(kept).toBe(`${directory.file}.backup-20261120-093015`)
    expect(readdirSync(directory.path).toSorted()).toEqual(
      ['backup.db', 'peers.db', 'peers.db.backup-20261120-093015'].toSorted(),
    )
    for (const path of [directory.file, kept!]) expect(statSync(path).mode & 0o777).toBe(0o600)
    using before = openPlain(kept!)
    expect(before.prepare('select count(*) from messages').pluck().get()).toBe(2)
  })

  test('may be the first of a machine, whose own sessions it does not know', async () => {
    using directory = makeDirectory()
    const { from } = await openLater(directory)
    const file = join(directory.path, 'standby/peers.db')
    const restored = restore({ file, from, machineId: 'machine-standby' })
    expect(restored).toMatchObject({ waiting: 1, kept: undefined, knowsMachine: false })
    using world = openFileWorld(file)
    expect(world.database.peers.named('web')).toMatchObject([{ machineId: LAPTOP.id }])
  })

  test('is brought up to date when the backup is older', async () => {
    using directory = makeDirectory()
    const { web, from } = await openLater(directory)
    const folder = addMigration(directory.path, REBUILD)
    expect(restore({ file: directory.file, from, folder })).toMatchObject({ applied: 1, waiting: 1 })
    using sqlite = openPlain(directory.file)
    expect(sqlite.prepare('select mood from messages').all()).toEqual([{ mood: null }])
    expect(sqlite.prepare('select recipient_id from deliveries').pluck().all()).toEqual([web])
    expect(sqlite.pragma('foreign_key_check')).toEqual([])
  })

  test('takes the place of a damaged one, which is kept with its log', async () => {
    using directory = makeDirectory()
    const { web, from } = await openLater(directory)
    const bytes = readFileSync(directory.file).fill(0x5a, 100)
    writeFileSync(directory.file, bytes)
    writeFileSync(`${directory.file}-wal`, 'what was written last')
    const { kept } = restore({ file: directory.file, from })
    expect(readFileSync(kept!).equals(bytes)).toBe(true)
    expect(readFileSync(`${kept!}-wal`, 'utf8')).toBe('what was written last')
    using world = openFileWorld(directory.file)
    expect(bodies(world.consume(web))).toEqual(['waiting'])
  })
})

describe('nothing is touched', () => {
  const cases: [string, (directory: { path: string; file: string }, from: string) => string, RegExp][] = [
    ['a missing file', ({ path }) => join(path, 'none.db'), /There is no file .*none\.db/],
    ['a directory', ({ path }) => makeDir(join(path, 'dir')), /There is no file .*dir/],
    ['the database itself', ({ file }) => file, /is the database itself/],
    ['an empty file', ({ path }) => write(join(path, 'empty.db'), ''), /empty\.db is empty/],
    [
      'a letter',
      ({ path }) => write(join(path, 'letter.db'), 'Dear hub, I hope that this finds you well.'),
      /letter\.db is not a database of claude-peers/,
    ],
    ['another program’s database', ({ path }) => foreign(join(path, 'foreign.db')), /is not a database of/],
    ['a database of v2', ({ path }) => predecessor(join(path, 'v2.db')), /of claude-peers v2: put it where/],
    ['a newer one', ({ path }) => newer(path), /newer\.db was written by a newer claude-peers: update/],
    ['one that was cut short', (_, from) => cut(from), /cut\.db is damaged \(.+\): nothing was changed/],
    ['one with a bad page', (_, from) => spoil(from), /spoilt\.db is damaged \(.+\): nothing was changed/],
  ]
  test.each(cases)('by %s', async (_, make, reason) => {
    using directory = makeDirectory()
    const { from } = await openLater(directory)
    const given = make(directory, from)
    const before = look(directory.path)
    expect(() => restore({ file: directory.file, from: given })).toThrow(reason)
    expect(look(directory.path)).toEqual(before)
  })

  test('where the database is something of somebody else', async () => {
    using directory = makeDirectory()
    const { from } = await openLater(directory)
    const file = write(join(directory.path, 'novel.txt'), 'It was a dark and stormy night; the rain fell.')
    expect(() => restore({ file, from })).toThrow(/holds something that is no database of claude-peers: move/)
    expect(readFileSync(file, 'utf8')).toMatch(/stormy/)
  })

  test('while another program has the database open', async () => {
    using directory = makeDirectory()
    const { from } = await openLater(directory)
    using other = openPlain(directory.file)
    other.exec('begin immediate')
    expect(() => restore({ file: directory.file, from })).toThrow(/is open in another process/)
    other.exec('rollback')
    expect(existsSync(`${directory.file}.restoring`)).toBe(false)
  }, 20_000)
})

/** The names and bytes of everything in a directory. */
const look = (path: string) =>
  readdirSync(path, { recursive: true, encoding: 'utf8' })
    .toSorted()
    .map((name) => {
      const file = join(path, name)
      return [name, statSync(file).isFile() ? readFileSync(file).toString('base64') : 'directory']
    })

function epochOf(file: string): unknown {
  using sqlite = openPlain(file)
  return sqlite.pragma('user_version', { simple: true })
}

function makeDir(path: string): string {
  mkdirSync(path)
  return path
}

function write(path: string, content: string | Buffer): string {
  writeFileSync(path, content)
  return path
}

function foreign(path: string): string {
  using sqlite = openPlain(path)
  sqlite.exec('create table songs (title text)')
  return path
}

function predecessor(path: string): string {
  writePredecessor(path, { version: 2, peers: [], messages: [] })
  return path
}

function newer(path: string): string {
  const file = join(path, 'newer.db')
  const folder = addMigration(path, 'CREATE TABLE `moods` (`id` integer);')
  copyFileSync(join(path, 'backup.db'), file)
  restoreDatabase({ file: join(path, 'other.db'), from: file, folder, machineId: LAPTOP.id, now: START })
  copyFileSync(join(path, 'other.db'), file)
  return file
}

const cut = (from: string) =>
  write(from.replace('backup.db', 'cut.db'), readFileSync(from).subarray(0, 4_096 * 5 + 100))

function spoil(from: string): string {
  const bytes = readFileSync(from)
  return write(from.replace('backup.db', 'spoilt.db'), bytes.fill(0x5a, 4_096 * 4, 4_096 * 6))
}
