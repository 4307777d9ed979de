import { execFile } from 'node:child_process'
import { cpSync } from 'node:fs'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { FOLDER, makeDirectory, openWorld, type World } from './harness.ts'

const root = join(import.meta.dirname, '../..')
const run = promisify(execFile)

test('the migrations make the tables of schema.ts, and none is missing', async () => {
  using directory = makeDirectory()
  cpSync(FOLDER, join(directory.path, 'drizzle'), { recursive: true })
  // Of an absolute path the tool makes a relative one by putting "./" before it.
  const out = join(relative(root, directory.path), 'drizzle')
  const tool = join(root, 'node_modules/drizzle-kit/bin.cjs')
  const options = ['--dialect=sqlite', '--schema=./lib/db/schema.ts', `--out=${out}`]
  const { stdout } = await run(process.execPath, [tool, 'generate', ...options], { cwd: root })
  expect(stdout).toContain('No schema changes')
})

const delivery = {
  state: 'queued',
  offer_id: null,
  lease_until: null,
  attempts: 0,
  queued_at: 1,
  offered_at: null,
  settled_at: null,
  read_at: null,
  expires_at: 2,
  changed_seq: 3,
}
const offered = { state: 'offered', offer_id: 'o', lease_until: 9, attempts: 1, offered_at: 5 }

test.for([
  {},
  offered,
  { attempts: 1, offer_id: 'o', offered_at: 5 },
  { state: 'delivered', attempts: 1, settled_at: 9 },
  { state: 'read', attempts: 1, settled_at: 9, read_at: 9 },
  { state: 'expired', settled_at: 9 },
  { state: 'expired', attempts: 2, settled_at: 9 },
  { state: 'retracted', settled_at: 9 },
  { reply_by: 9 },
  { reply_by: 9, note_id: 8 },
  { reply_by: 9, note_id: 8, reply_id: 10 },
  { reply_id: 10 },
])('a delivery can be %o', (columns) => {
  using world = openWorld()
  expect(insertDelivery(world, columns)).toBe(1)
})

test.for([
  ['deliveries_state', { state: 'lost', settled_at: 9 }],
  ['deliveries_lease', { ...offered, lease_until: null }],
  ['deliveries_lease', { lease_until: 9 }],
  ['deliveries_lease', { state: 'delivered', attempts: 1, settled_at: 9, lease_until: 9 }],
  ['deliveries_offer', { ...offered, offer_id: null }],
  ['deliveries_offer', { ...offered, offered_at: null }],
  ['deliveries_settled', { settled_at: 9 }],
  ['deliveries_settled', { ...offered, settled_at: 9 }],
  ['deliveries_settled', { state: 'delivered', attempts: 1 }],
  ['deliveries_settled', { state: 'expired' }],
  ['deliveries_read', { state: 'read', attempts: 1, settled_at: 9 }],
  ['deliveries_read', { state: 'delivered', attempts: 1, settled_at: 9, read_at: 9 }],
  ['deliveries_attempts', { ...offered, attempts: 0 }],
  ['deliveries_attempts', { state: 'delivered', settled_at: 9 }],
  ['deliveries_attempts', { state: 'read', settled_at: 9, read_at: 9 }],
  ['deliveries_attempts', { state: 'retracted', attempts: 1, settled_at: 9 }],
  ['deliveries_attempts', { attempts: -1 }],
  ['deliveries_note', { note_id: 8 }],
] as const)('%s refuses a delivery with %o', ([constraint, columns]) => {
  using world = openWorld()
  expect(() => insertDelivery(world, columns)).toThrow(`CHECK constraint failed: ${constraint}`)
})

test.for([
  ['peers_kind', "kind = 'robot'"],
  ['peers_name_form', "name = ''"],
  ['peers_name_form', "name = 'Api'"],
  ['peers_name_form', "name = 'a b'"],
  ['peers_name_form', "name = 'é/x'"],
  ['peers_name_form', "name = 'a@b'"],
  ['peers_name_form', `name = '${'x'.repeat(65)}'`],
] as const)('%s refuses a peer with %s', ([constraint, assignment]) => {
  using world = openWorld()
  world.join('api')
  expect(() => world.database.sqlite.exec(`update peers set ${assignment}`)).toThrow(constraint)
})

test.for([
  ['messages_urgency', "urgency = 'panic'"],
  ['messages_chars', 'chars = 0'],
  ['messages_kind', "kind = 'rumour'"],
  ['messages_note', "kind = 'note'"],
  ['messages_scope', "scope = 'network'"],
] as const)('%s refuses a message with %s', ([constraint, assignment]) => {
  using world = openWorld()
  world.send(world.join('api'), world.join('web'))
  expect(() => world.database.sqlite.exec(`update messages set ${assignment}`)).toThrow(constraint)
})

test('two seats of one machine never have one name, and no key is used twice by one sender', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  expect(() => world.database.sqlite.exec("update peers set name = 'same'")).toThrow('UNIQUE')
  world.send(api, web)
  world.send(api, web)
  expect(() => world.database.sqlite.exec("update messages set idempotency_key = 'k'")).toThrow('UNIQUE')
})

test('nothing that a message mentions can be removed under it', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  world.send(api, web)
  const { sqlite } = world.database
  for (const id of [api, web]) {
    expect(() => sqlite.prepare('delete from peers where id = ?').run(id)).toThrow('FOREIGN KEY')
  }
  expect(() => sqlite.exec('delete from machines')).toThrow('FOREIGN KEY')
})

function insertDelivery(world: World, columns: Record<string, unknown>): number {
  const [api, web] = [world.join('api'), world.join('web')]
  const { sqlite } = world.database
  const message = {
    id: 7,
    sender_id: api,
    idempotency_key: 'k',
    body: 'b',
    chars: 1,
    urgency: 'normal',
    created_at: 1,
  }
  insert('messages', message)
  return insert('deliveries', { message_id: 7, recipient_id: web, sender_id: api, ...delivery, ...columns })

  function insert(table: string, row: Record<string, unknown>): number {
    const names = Object.keys(row)
    const text = `insert into ${table} (${names.join()}) values (${names.map(() => '?').join()})`
    return sqlite.prepare(text).run(...Object.values(row)).changes
  }
}
