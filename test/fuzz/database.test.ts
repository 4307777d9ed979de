import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { array, constantFrom, nat, oneof, option, record, type Arbitrary } from 'fast-check'
import { expect } from 'vitest'
import { openDatabase } from '../../lib/db/open.ts'
import { FOLDER, LAPTOP, makeDirectory, MEMORY, openPlain, START } from '../db/harness.ts'
import { writePredecessor } from '../db/predecessor.ts'
import { fuzz } from './bound.ts'
import { anyText } from './values.ts'

type Change = { number: number; column: string; value: Value }
type Spoilt = {
  peers: Change[]
  messages: Change[]
  missing: string | null
  cut: number | null
  noise: { at: number; byte: number } | null
}
type Value = string | number | Buffer | null
/** What SQLite stores in any column, whatever its type. */
const value: Arbitrary<Value> = oneof(
  anyText,
  nat(),
  constantFrom<Value>(
    -1,
    0.5,
    1e300,
    null,
    Buffer.from([0xff, 0x00]),
    '2026-11-20',
    '2026-11-20 08:00:00',
    'NaN',
  ),
)
const PEER = [
  'cwd',
  'git_root',
  'summary',
  'name',
  'host',
  'machine_id',
  'last_seen',
  'registered_at',
  'pid',
  'tty',
]
const MESSAGE = ['from_id', 'to_id', 'text', 'sent_at', 'delivered', 'status', 'delivered_at', 'notified']
const row = (columns: string[]) => record({ number: nat(3), column: constantFrom(...columns), value })
const spoilt: Arbitrary<Spoilt> = record({
  peers: array(row(PEER), { maxLength: 4 }),
  messages: array(row(MESSAGE), { maxLength: 4 }),
  /** A table or column of the old program that is not there. */
  missing: option(
    constantFrom(
      'drop table messages',
      'drop table peers',
      ...[...PEER.slice(1), ...MESSAGE.slice(2)].map(toDrop),
    ),
    {
      freq: 4,
    },
  ),
  /** How much of the file is there, in thousandths. */
  cut: option(nat(999), { freq: 4 }),
  noise: option(record({ at: nat(999), byte: nat(255) }), { freq: 4 }),
})

function toDrop(column: string): string {
  return `alter table ${MESSAGE.includes(column) ? 'messages' : 'peers'} drop column ${column}`
}

fuzz(
  'a database of claude-peers v2 is taken over with every message, or is left as it was',
  spoilt,
  (given) => {
    using directory = makeDirectory(MEMORY)
    const { file } = directory
    const messages = write(file, given)
    const before = toContent(file)
    let opened: ReturnType<typeof openDatabase>
    try {
      opened = openDatabase({ file, folder: FOLDER, machine: LAPTOP, now: () => START })
    } catch (cause) {
      expect((cause as Error).message).toMatch(/\S/)
      expect(toContent(file)).toBe(before)
      return
    }
    const { database, migration } = opened
    try {
      // Of a file without its tables or its pages nothing can be told but that it was not touched.
      if (migration.outcome !== 'adopted') return
      expect(toContent(migration.backup!)).toBe(before)
      if (given.noise === null) {
        expect(database.sqlite.prepare('select count(*) from messages').pluck().get()).toBe(messages)
      }
      expect(database.sqlite.pragma('foreign_key_check')).toEqual([])
      expect(database.peers.list(0)).not.toEqual([])
      database.sweep()
    } finally {
      database.close()
    }
  },
)

/** Writes such a database, and returns how many messages are in it. */
function write(file: string, { peers, messages, missing, cut, noise }: Spoilt): number {
  const [api, web, gone] = ['aaaaaaaa', 'bbbbbbbb', 'cccccccc']
  writePredecessor(file, {
    version: 2,
    peers: [
      { id: api, cwd: '/src/api', git_root: '/src/api' },
      { id: web, cwd: '/src/web' },
    ],
    messages: [
      { from_id: api, to_id: web, text: 'first' },
      { from_id: api, to_id: web, text: 'second', delivered: 1 },
      { from_id: web, to_id: gone, text: 'third' },
    ],
  })
  const count = change(file, { peers, messages, missing })
  const bytes = readFileSync(file)
  if (noise) bytes[Math.floor((noise.at * bytes.length) / 1_000)] = noise.byte
  writeFileSync(file, cut === null ? bytes : bytes.subarray(0, Math.floor((cut * bytes.length) / 1_000)))
  return count
}

function change(
  file: string,
  { peers, messages, missing }: Pick<Spoilt, 'peers' | 'messages' | 'missing'>,
): number {
  using sqlite = openPlain(file)
  const set = (table: string, { number, column, value }: Change) => {
    try {
      sqlite.prepare(`update ${table} set ${column} = ? where rowid = ?`).run(value, number + 1)
    } catch (cause) {
      // The old program's own constraints.
      expect((cause as { code?: string }).code).toMatch(/^SQLITE_CONSTRAINT/)
    }
  }
  for (const one of peers) set('peers', one)
  for (const one of messages) set('messages', one)
  const count = sqlite.prepare('select count(*) from messages').pluck().get() as number
  if (missing !== null) sqlite.exec(missing)
  return count
}

/** What is in a file, as far as it can be read; looking changes nothing. */
function toContent(file: string): string {
  using directory = makeDirectory(MEMORY)
  copyFileSync(file, directory.file)
  try {
    using sqlite = openPlain(directory.file)
    const tables = sqlite.prepare('select * from sqlite_master').all() as { type: string; name: string }[]
    const rows = tables
      .filter(({ type }) => type === 'table')
      .map(({ name }) => sqlite.prepare(`select * from ${name}`).all())
    return JSON.stringify([tables, rows])
  } catch {
    const bytes = readFileSync(file)
    // Whether there is a write-ahead log, and how often the file was changed, which ending that log counts as:
    // https://www.sqlite.org/fileformat.html#the_database_header
    for (const [start, end] of [
      [18, 20],
      [24, 28],
      [92, 100],
    ])
      bytes.subarray(start, end).fill(0)
    return bytes.toString('base64')
  }
}
