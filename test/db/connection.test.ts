import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { afterEach, expect, test, vi } from 'vitest'
import { openSqlite } from '../../lib/db/connection.ts'
import { openInMemory } from '../../lib/db/open.ts'
import { FOLDER, makeDirectory, openFileWorld } from './harness.ts'

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)

afterEach(() => vi.restoreAllMocks())

test('every open commits durably: WAL, synchronous=FULL, and foreign keys', () => {
  using directory = makeDirectory()
  for (let open = 0; open < 3; open++) {
    using world = openFileWorld(directory.file)
    const { sqlite } = world.database
    expect(sqlite.pragma('journal_mode', { simple: true })).toBe('wal')
    expect(sqlite.pragma('synchronous', { simple: true })).toBe(2)
    expect(sqlite.pragma('foreign_keys', { simple: true })).toBe(1)
    world.join(`peer-${open}`)
  }
})

test.for([
  ['journal_mode = WAL', 'delete', 'journal_mode=WAL'],
  ['synchronous', 1, 'synchronous=FULL'],
] as const)('a database that refuses %s is not used, and is closed', ([asked, answer, said]) => {
  using directory = makeDirectory()
  const { pragma } = Sqlite.prototype
  vi.spyOn(Sqlite.prototype, 'pragma').mockImplementation(function (this: Sqlite.Database, text, options) {
    return text === asked ? answer : pragma.call(this, text, options)
  })
  const close = vi.spyOn(Sqlite.prototype, 'close')
  expect(() => openSqlite(directory.file)).toThrow(said)
  expect(close).toHaveBeenCalledOnce()
})

test('the file and what SQLite puts beside it are for the owner alone, whatever the umask says', () => {
  using directory = makeDirectory()
  const umask = process.umask(0)
  try {
    using world = openFileWorld(directory.file)
    world.join('api')
    const modes = readdirSync(directory.path).map((name) => [name, modeOf(join(directory.path, name))])
    expect(modes).toEqual([
      ['peers.db', '600'],
      ['peers.db-shm', '600'],
      ['peers.db-wal', '600'],
    ])
  } finally {
    process.umask(umask)
  }
})

test('a file that others could read is closed to them', () => {
  using directory = makeDirectory()
  openFileWorld(directory.file)[Symbol.dispose]()
  chmodSync(directory.file, 0o644)
  using world = openFileWorld(directory.file)
  world.join('api')
  expect(modeOf(directory.file)).toBe('600')
  expect(modeOf(`${directory.file}-wal`)).toBe('600')
})

test('a directory that is missing is made for the owner alone, and one that is there keeps its mode', () => {
  using directory = makeDirectory()
  const umask = process.umask(0)
  try {
    mkdirSync(join(directory.path, 'there'), { mode: 0o755 })
    for (const name of ['there', 'new/deep'])
      openFileWorld(join(directory.path, name, 'peers.db'))[Symbol.dispose]()
    const modes = ['there', 'new', 'new/deep'].map((name) => modeOf(join(directory.path, name)))
    expect(modes).toEqual(['755', '700', '700'])
  } finally {
    process.umask(umask)
  }
})

test('an empty file is a new database', () => {
  using directory = makeDirectory()
  writeFileSync(directory.file, '')
  using world = openFileWorld(directory.file)
  expect(world.database.peers.list(0)).toEqual([])
})

test('closing commits what was asked for, and leaves one file', async () => {
  using directory = makeDirectory()
  const written = (() => {
    using world = openFileWorld(directory.file)
    world.join('api')
    const { peers, queue } = world.database
    return queue.run(() => peers.setSummary(peers.named('api')[0]!.id, 'last words'))
  })()
  await written
  expect(readdirSync(directory.path)).toEqual(['peers.db'])
  using world = openFileWorld(directory.file)
  expect(world.database.peers.named('api')[0]?.summary).toBe('last words')
})

test('a database in memory has the same tables and settings', () => {
  const database = openInMemory({ folder: FOLDER, now: () => 1 })
  expect(database.sqlite.pragma('foreign_keys', { simple: true })).toBe(1)
  expect(database.peers.counts()).toEqual({ online: 0, known: 0 })
  database.close()
})
