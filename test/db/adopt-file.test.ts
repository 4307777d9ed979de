import { copyFileSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { expect, test } from 'vitest'
import { migrateFile } from '../../lib/db/migrate.ts'
import { FOLDER, LAPTOP, makeDirectory, openFileWorld, openPlain, START, type World } from './harness.ts'
import { addMigration } from './migration.ts'
import { V2, writePredecessor } from './predecessor.ts'

const migrate = (file: string, now = START) => migrateFile({ file, folder: FOLDER, now, machine: LAPTOP })
const historyOf = (world: World) =>
  world.database.messages.history({ before: Number.MAX_SAFE_INTEGER, limit: 1_000 })
const api = { id: 'aaaaaaaa', cwd: '/src/api/src', git_root: '/src/api' }

test('the old file stays whole as the backup, for the owner alone', () => {
  using directory = makeDirectory()
  writePredecessor(directory.file, {
    version: 2,
    peers: [api],
    messages: [{ from_id: api.id, to_id: 'gone', text: 'hello' }],
  })
  const result = migrate(directory.file, Date.UTC(2026, 10, 20, 9, 30, 15))
  expect(result).toEqual({
    outcome: 'adopted',
    applied: 1,
    backup: `${directory.file}.v2-backup-20261120-093015`,
  })
  expect(readdirSync(directory.path)).toEqual(['peers.db', 'peers.db.v2-backup-20261120-093015'])
  expect(statSync(result.backup!).mode & 0o777).toBe(0o600)
  expect(statSync(directory.file).mode & 0o777).toBe(0o600)
  using backup = openPlain(result.backup!)
  expect(backup.pragma('integrity_check', { simple: true })).toBe('ok')
  expect(backup.prepare('select text, status from messages').all()).toEqual([
    { text: 'hello', status: 'queued' },
  ])
  expect(migrate(directory.file)).toEqual({ outcome: 'current', applied: 0 })
})

test('what a killed broker left in its log is taken over too', () => {
  using directory = makeDirectory()
  const lived = `${directory.path}/lived.db`
  writePredecessor(lived, { version: 2, peers: [api], messages: [] })
  {
    using broker = openPlain(lived)
    broker.pragma('wal_autocheckpoint = 0')
    broker
      .prepare(
        "insert into messages (from_id, to_id, text, sent_at) values ('aaaaaaaa', 'aaaaaaaa', 'in the log', '')",
      )
      .run()
    for (const suffix of ['', '-wal']) copyFileSync(lived + suffix, directory.file + suffix)
  }
  using world = openFileWorld(directory.file)
  expect(historyOf(world).map((one) => [one.excerpt, one.state])).toEqual([['in the log', 'queued']])
  using backup = openPlain(
    `${directory.path}/${readdirSync(directory.path).find((name) => name.includes('backup'))}`,
  )
  expect(backup.prepare('select text from messages').pluck().all()).toEqual(['in the log'])
})

test('a broker that still has the file open is named, and nothing is changed', { timeout: 20_000 }, () => {
  using directory = makeDirectory()
  writePredecessor(directory.file, { version: 2, peers: [api], messages: [] })
  using broker = openPlain(directory.file)
  expect(broker.prepare('select count(*) from peers').pluck().get()).toBe(1)
  const before = readFileSync(directory.file)
  expect(() => migrate(directory.file)).toThrow('open in another process')
  expect(readFileSync(directory.file)).toEqual(before)
  broker
    .prepare(
      "insert into messages (from_id, to_id, text, sent_at) values ('aaaaaaaa', 'x', 'still here', '')",
    )
    .run()
  broker.close()
  expect(migrate(directory.file).outcome).toBe('adopted')
  using world = openFileWorld(directory.file)
  expect(historyOf(world)).toHaveLength(1)
})

test('what fails on the way leaves the old file as it was, and nothing beside it', () => {
  using directory = makeDirectory()
  writePredecessor(directory.file, {
    version: 2,
    peers: [api],
    messages: [{ from_id: api.id, to_id: api.id, text: 'hello' }],
  })
  const folder = addMigration(directory.path, 'select nonsense()')
  const files = readdirSync(directory.path)
  expect(() => migrateFile({ file: directory.file, folder, now: START, machine: LAPTOP })).toThrow('nonsense')
  expect(readdirSync(directory.path)).toEqual(files)
  using old = openPlain(directory.file)
  expect(old.prepare('select text from messages').pluck().all()).toEqual(['hello'])
})

// Sessions that were started under v2 start its broker again while our hub is not there.
test('a broker of v2 that opens our database does it no harm', () => {
  using directory = makeDirectory()
  {
    using world = openFileWorld(directory.file)
    world.send(world.join('api'), world.join('web'), 'hello')
  }
  {
    using broker = openPlain(directory.file)
    const refused = V2.split(';').filter((statement) => {
      try {
        broker.exec(statement)
        return false
      } catch {
        return true
      }
    })
    expect(refused).toHaveLength(2)
    expect(() => broker.exec("update messages set status = 'delivered' where delivered = 1")).toThrow(
      'no such column',
    )
  }
  expect(migrate(directory.file)).toEqual({ outcome: 'current', applied: 0 })
  using world = openFileWorld(directory.file)
  const [web] = world.database.peers.named('web')
  expect(world.consume(web!.id).messages.map((mail) => mail.body)).toEqual(['hello'])
})
