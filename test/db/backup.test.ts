import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { BackupError, backUpDatabase, type BackupOptions } from '../../lib/db/backup.ts'
import { FOLDER, makeDirectory, openFileWorld, openPlain, START } from './harness.ts'
import { writePredecessor } from './predecessor.ts'

const backUp = (options: Pick<BackupOptions, 'file' | 'target'> & Partial<BackupOptions>) =>
  backUpDatabase({ folder: FOLDER, now: START, ...options })

/** A database in which one message waits, and one was delivered. */
function openMailed(file: string) {
  const world = openFileWorld(file)
  const [api, web] = [world.join('api'), world.join('web')]
  world.send(api, web, 'read long ago')
  world.acknowledge(web, world.consume(web))
  world.send(api, web, 'still waiting')
  return { world, api, web }
}

const bodiesIn = (file: string) => {
  using sqlite = openPlain(file)
  return sqlite.prepare('select body from messages order by id').pluck().all()
}

test('a backup holds all of the mail, says how much waits, and is one file that only its owner reads', async () => {
  using directory = makeDirectory()
  const { world } = openMailed(directory.file)
  const target = join(directory.path, 'copy.db')
  const made = await backUp({ file: directory.file, target })
  expect(made).toEqual({ path: target, bytes: statSync(target).size, waiting: 1, removed: [] })
  expect(statSync(target).mode & 0o777).toBe(0o600)
  expect(readdirSync(directory.path).filter((name) => name.startsWith('copy.db'))).toEqual(['copy.db'])
  expect(bodiesIn(target)).toEqual(['read long ago', 'still waiting'])
  world[Symbol.dispose]()
})

test('what is committed while it is made neither spoils nor delays it', async () => {
  using directory = makeDirectory()
  const { world, api, web } = openMailed(directory.file)
  const target = join(directory.path, 'copy.db')
  const state = { done: false }
  const made = backUp({ file: directory.file, target }).finally(() => (state.done = true))
  let sent = 0
  while (!state.done) {
    world.advance(10_000)
    world.send(api, web, `meanwhile ${++sent}`)
    world.acknowledge(web, world.consume(web))
    await new Promise((resolve) => setImmediate(resolve))
  }
  await made
  const found = bodiesIn(target)
  const after = [
    'read long ago',
    'still waiting',
    ...Array.from({ length: sent }, (_, at) => `meanwhile ${at + 1}`),
  ]
  expect(found).toEqual(after.slice(0, found.length))
  expect(found.length).toBeGreaterThanOrEqual(2)
  expect(sent).toBeGreaterThan(0)
  world[Symbol.dispose]()
})

test('the mail in the log of a hub that was killed comes along, and the log stays where it is', async () => {
  using directory = makeDirectory()
  const { world } = openMailed(directory.file)
  world.crash()
  const file = `${directory.file}+`
  expect(statSync(`${file}-wal`).size).toBeGreaterThan(0)
  const target = join(directory.path, 'copy.db')
  expect(await backUp({ file, target })).toMatchObject({ waiting: 1 })
  expect(bodiesIn(target)).toEqual(['read long ago', 'still waiting'])
  world[Symbol.dispose]()
})

test('in a directory it gets the name of the moment, the next free one, and nothing is written over', async () => {
  using directory = makeDirectory()
  using world = openMailed(directory.file).world
  const target = join(directory.path, 'kept')
  mkdirSync(target)
  const file = join(directory.path, '.hidden.db')
  await backUp({ file: directory.file, target: file })
  const paths = [await backUp({ file, target }), await backUp({ file, target })].map(({ path }) => path)
  expect(paths).toEqual([
    join(target, 'hidden.db.backup-20261120-090000'),
    join(target, 'hidden.db.backup-20261120-090000-2'),
  ])
  expect(world.clock.now).toBe(START)
})

test('of a directory as many are kept as wanted, the newest; other files stay', async () => {
  using directory = makeDirectory()
  using _world = openMailed(directory.file).world
  const target = join(directory.path, 'kept')
  mkdirSync(target)
  const older = ['20260101-000000', '20260201-000000', '20260301-000000'].map((stamp) =>
    join(target, `peers.db.backup-${stamp}`),
  )
  const foreign = ['other.db.backup-20260101-000000', 'peers.db.mine.backup-20260101-000000', 'notes.txt']
  for (const path of [...older, ...foreign.map((name) => join(target, name))]) writeFileSync(path, 'old')
  const made = await backUp({ file: directory.file, target, keep: 2 })
  expect(made.removed).toEqual([older[1], older[0]])
  expect(readdirSync(target).toSorted()).toEqual(
    [...foreign, basename(older[2]!), basename(made.path)].toSorted(),
  )
  await expect(
    backUp({ file: directory.file, target: join(directory.path, 'one.db'), keep: 2 }),
  ).rejects.toThrow(/give a directory: .*one\.db is none/)
})

test('a file that is there is not written over', async () => {
  using directory = makeDirectory()
  using _world = openMailed(directory.file).world
  const target = join(directory.path, 'mine.txt')
  writeFileSync(target, 'my words')
  await expect(backUp({ file: directory.file, target })).rejects.toThrow(
    /is there already and was left as it is/,
  )
  expect(readFileSync(target, 'utf8')).toBe('my words')
})

test('a place that cannot be written is named, and not the database', async () => {
  using directory = makeDirectory()
  openMailed(directory.file).world[Symbol.dispose]()
  const target = join(directory.path, 'x'.repeat(250))
  const failed = backUp({ file: directory.file, target })
  await expect(failed).rejects.toThrow(/x cannot be written \(ENAMETOOLONG.*\): nothing was backed up/)
  await expect(failed).rejects.toBeInstanceOf(BackupError)
})

test('a link to nowhere is not written over', async () => {
  using directory = makeDirectory()
  openMailed(directory.file).world[Symbol.dispose]()
  const target = join(directory.path, 'link.db')
  symlinkSync(join(directory.path, 'nowhere.db'), target)
  await expect(backUp({ file: directory.file, target })).rejects.toThrow(/is there already/)
  expect(readlinkSync(target)).toMatch(/nowhere\.db$/)
})

test.each([
  ['no database', () => undefined, /There is no mail in/],
  ['an empty file', (file: string) => writeFileSync(file, ''), /There is no mail in/],
  ['a letter', (file: string) => writeFileSync(file, 'Dear hub, …'), /is not a database of claude-peers/],
  [
    'a database of v2',
    (file: string) => writePredecessor(file, { version: 2, peers: [], messages: [] }),
    /of claude-peers v2: "claude-peers migrate"/,
  ],
])('%s is refused, and nothing is left', async (_, make, reason) => {
  using directory = makeDirectory()
  make(directory.file)
  const target = join(directory.path, 'copy.db')
  await expect(backUp({ file: directory.file, target })).rejects.toThrow(reason)
  await expect(backUp({ file: directory.file, target })).rejects.toBeInstanceOf(BackupError)
  expect(readdirSync(directory.path).filter((name) => name.includes('copy'))).toEqual([])
})

test('a directory that is missing is said to be, and nothing is left of a damaged database', async () => {
  using directory = makeDirectory()
  openMailed(directory.file).world[Symbol.dispose]()
  await expect(
    backUp({ file: directory.file, target: join(directory.path, 'none/copy.db') }),
  ).rejects.toThrow(/There is no directory .*none: make it first/)
  damage(directory.file)
  const target = join(directory.path, 'copy.db')
  await expect(backUp({ file: directory.file, target })).rejects.toThrow(/is damaged/)
  expect(existsSync(target)).toBe(false)
  expect(readdirSync(directory.path).filter((name) => name.includes('copy'))).toEqual([])
})

/** Overwrites pages of a closed database, but the first. */
function damage(file: string) {
  const bytes = readFileSync(file)
  bytes.fill(0x5a, 4_096 * 3, bytes.length)
  writeFileSync(file, bytes)
  chmodSync(file, 0o600)
}
