import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ForeignDatabaseError, migrateFile, NewerDatabaseError } from '../../lib/db/migrate.ts'
import { openDatabase } from '../../lib/db/open.ts'
import { FOLDER, LAPTOP, makeDirectory, openFileWorld, openPlain, START } from './harness.ts'
import { addMigration, REBUILD } from './migration.ts'

const migrate = (file: string, folder = FOLDER, now = START) =>
  migrateFile({ file, folder, now, machine: LAPTOP })

/** A database with a message that is queued, one that is delivered, and a session. */
function fill(file: string): void {
  using world = openFileWorld(file)
  const [api, web] = [world.join('api', { sessionId: 'session-1' }), world.join('web')]
  world.send(api, web, 'delivered')
  world.acknowledge(web, world.consume(web))
  world.send(api, web, 'queued')
}

test('a file that is not there is made, and one that is current is left alone', () => {
  using directory = makeDirectory()
  expect(migrate(directory.file)).toEqual({ outcome: 'created', applied: 1 })
  const before = readFileSync(directory.file)
  expect(migrate(directory.file)).toEqual({ outcome: 'current', applied: 0 })
  expect(readdirSync(directory.path)).toEqual(['peers.db'])
  expect(readFileSync(directory.file)).toEqual(before)
})

test('a migration that rebuilds a table keeps the rows that hang on it', () => {
  using directory = makeDirectory()
  fill(directory.file)
  const folder = addMigration(directory.path, REBUILD)
  const migrated = migrate(directory.file, folder)
  expect(migrated).toMatchObject({ outcome: 'migrated', applied: 1 })
  const { database } = openDatabase({ file: directory.file, folder, machine: LAPTOP, now: () => START })
  expect(database.sqlite.pragma('foreign_keys', { simple: true })).toBe(1)
  expect(database.sqlite.pragma('integrity_check', { simple: true })).toBe('ok')
  expect(database.sqlite.prepare('select mood from messages').pluck().all()).toEqual([null, null])
  const history = database.messages.history({ before: 100, limit: 10 })
  expect(history.map((one) => [one.excerpt, one.state])).toEqual([
    ['queued', 'queued'],
    ['delivered', 'delivered'],
  ])
  database.close()
  expect(migrate(directory.file, folder)).toEqual({ outcome: 'current', applied: 0 })
})

test('the file is backed up before, for the owner alone, and the backup opens', () => {
  using directory = makeDirectory()
  fill(directory.file)
  const { backup } = migrate(
    directory.file,
    addMigration(directory.path, REBUILD),
    Date.UTC(2027, 0, 2, 3, 4, 5),
  )
  expect(backup).toBe(`${directory.file}.backup-20270102-030405`)
  expect(statSync(backup!).mode & 0o777).toBe(0o600)
  using world = openFileWorld(backup!)
  expect(world.database.messages.counts()).toEqual({ queued: 1, offered: 0, settled: 1 })
})

test('a second backup in one second does not take the place of the first', () => {
  using directory = makeDirectory()
  const backups = ['one', 'two'].map((name) => {
    const file = join(directory.path, 'peers.db')
    if (name === 'two') writeFileSync(file, readFileSync(`${file}.backup-20261120-090000`))
    else fill(file)
    return migrate(file, addMigration(directory.path, REBUILD, name)).backup
  })
  expect(new Set(backups).size).toBe(2)
  for (const backup of backups) expect(existsSync(backup!)).toBe(true)
})

test.for([
  ['fails', 'select nonsense();', 'nonsense'],
  ['leaves rows without their parent', 'delete from messages;', 'without their parent'],
] as const)('a migration that %s leaves the file as it was, and nothing beside it', ([, text, said]) => {
  using directory = makeDirectory()
  fill(directory.file)
  const folder = addMigration(directory.path, text)
  const files = readdirSync(directory.path)
  expect(() => migrate(directory.file, folder)).toThrow(said)
  expect(readdirSync(directory.path)).toEqual(files)
  using world = openFileWorld(directory.file)
  expect(world.database.messages.counts()).toEqual({ queued: 1, offered: 0, settled: 1 })
})

test('what a migration left half done when it was killed is cleared away', () => {
  using directory = makeDirectory()
  fill(directory.file)
  for (const suffix of ['', '-wal', '-shm', '-journal'])
    writeFileSync(`${directory.file}.building${suffix}`, 'half')
  expect(migrate(directory.file, addMigration(directory.path, REBUILD)).outcome).toBe('migrated')
  expect(readdirSync(directory.path).filter((name) => name.includes('building'))).toEqual([])
})

test('a database of a newer version is refused and not changed', () => {
  using directory = makeDirectory()
  fill(directory.file)
  migrate(directory.file, addMigration(directory.path, REBUILD))
  const before = readFileSync(directory.file)
  expect(() => migrate(directory.file)).toThrow(NewerDatabaseError)
  expect(() => migrate(directory.file)).toThrow('Update this installation')
  expect(readFileSync(directory.file)).toEqual(before)
})

test.for([
  ['another program', 'create table notes (text); insert into notes values (1)'],
  [
    'a program that migrates with the same tool',
    'create table __drizzle_migrations (id integer primary key, hash text, created_at numeric); insert into __drizzle_migrations values (1, 2, 3); create table peers (id)',
  ],
  ['a program with a table of messages', 'create table messages (id, body); create table peers (id)'],
] as const)('a database of %s is refused and not touched', ([, text]) => {
  using directory = makeDirectory()
  for (const mode of ['delete', 'wal']) {
    const file = join(directory.path, `${mode}.db`)
    {
      using foreign = openPlain(file)
      foreign.pragma(`journal_mode = ${mode}`)
      foreign.exec(text)
    }
    expect(refuse(file)).toThrow('is not a database of claude-peers')
  }
})

test('a foreign database with a log that was left behind is refused, log and all', () => {
  using directory = makeDirectory()
  const lived = join(directory.path, 'lived.db')
  using foreign = openPlain(lived)
  foreign.pragma('journal_mode = wal')
  foreign.exec('create table notes (text)')
  for (const suffix of ['', '-wal']) writeFileSync(directory.file + suffix, readFileSync(lived + suffix))
  const log = readFileSync(`${directory.file}-wal`)
  expect(log.length).toBeGreaterThan(0)
  expect(refuse(directory.file)).toThrow(ForeignDatabaseError)
  expect(readFileSync(`${directory.file}-wal`)).toEqual(log)
})

test.for([
  ['a text', 'Dear diary, this is no database.'],
  ['a short text', 'x'],
  ['the beginning of a database and then nothing', 'SQLite format 3'],
] as const)('%s is refused and not touched', ([, content]) => {
  using directory = makeDirectory()
  writeFileSync(directory.file, content)
  expect(refuse(directory.file)).toThrow('set CLAUDE_PEERS_DB to another file')
})

test('a damaged database is not taken for a new one', () => {
  using directory = makeDirectory()
  writeFileSync(directory.file, Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(8_000, 7)]))
  const before = readFileSync(directory.file)
  expect(() => migrate(directory.file)).toThrow(ForeignDatabaseError)
  expect(readFileSync(directory.file)).toEqual(before)
})

test('a database without a table is a new one', () => {
  using directory = makeDirectory()
  {
    using empty = openPlain(directory.file)
    empty.exec('create table gone (id); drop table gone')
  }
  expect(migrate(directory.file)).toEqual({ outcome: 'created', applied: 1 })
})

test('the log of a database that was deleted is not played into the new one', () => {
  using directory = makeDirectory()
  const lived = join(directory.path, 'lived.db')
  {
    using world = openFileWorld(lived)
    world.join('ghost')
    writeFileSync(`${directory.file}-wal`, readFileSync(`${lived}-wal`))
  }
  using world = openFileWorld(directory.file)
  expect(world.database.peers.list(0)).toEqual([])
  expect(world.database.sqlite.pragma('integrity_check', { simple: true })).toBe('ok')
})

test('a database behind a link is changed where it is, and the link stays', () => {
  using directory = makeDirectory()
  using elsewhere = makeDirectory()
  fill(elsewhere.file)
  symlinkSync(elsewhere.file, directory.file)
  const { backup } = migrate(directory.file, addMigration(directory.path, REBUILD))
  expect(lstatSync(directory.file).isSymbolicLink()).toBe(true)
  expect(backup?.startsWith(elsewhere.file)).toBe(true)
  expect(readdirSync(elsewhere.path)).toHaveLength(2)
})

test('a database that another process has open is not replaced under it', () => {
  using directory = makeDirectory()
  fill(directory.file)
  using other = openPlain(directory.file)
  other.prepare('select count(*) from peers').get()
  expect(() => migrate(directory.file, addMigration(directory.path, REBUILD))).toThrow(
    'open in another process',
  )
  expect(migrate(directory.file)).toEqual({ outcome: 'current', applied: 0 })
})

/** Migrates what must be refused; afterwards every byte is as it was, and nothing was put beside it. */
function refuse(file: string): () => void {
  const directory = join(file, '..')
  const look = () => {
    const names = readdirSync(directory).filter((name) => !name.endsWith('-shm'))
    return names.map((name) => [
      name,
      readFileSync(join(directory, name)),
      statSync(join(directory, name)).mode,
    ])
  }
  utimesSync(file, 1, 1)
  const before = look()
  return () => {
    try {
      migrate(file)
    } finally {
      expect(look()).toEqual(before)
      expect(statSync(file).mtimeMs).toBe(1_000)
    }
  }
}
