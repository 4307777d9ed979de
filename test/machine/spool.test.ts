import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { isSameSender, openSpool, SpoolError } from '../../lib/machine/spool.ts'
import { createSpool, GONE, toEntry, toSender } from '../harness/spool.ts'
import { toLabel } from '../../lib/machine/processes.ts'

const texts = (entries: { input: { message: string } }[]) => entries.map(({ input }) => input.message)

test('what is kept is there for every process, oldest first, also when the clock is set back', () => {
  using own = createSpool()
  const { spool, path, time } = own
  expect(spool.list()).toEqual([])
  const first = spool.add(toEntry('one'))
  spool.add(toEntry('two'))
  time.now -= 3_600_000
  spool.add(toEntry('three'))
  time.now += 7_200_000
  spool.add(toEntry('four'))
  expect(texts(spool.list())).toEqual(['one', 'two', 'three', 'four'])
  const other = openSpool(path, { now: () => time.now })
  expect(texts(other.list())).toEqual(['one', 'two', 'three', 'four'])
  other.remove(first.name)
  other.remove(first.name)
  expect(texts(spool.list())).toEqual(['two', 'three', 'four'])
})

test('what is no entry, and what has a place that no time reaches, keeps nothing else', () => {
  using own = createSpool()
  const { path, spool } = own
  mkdirSync(join(path, '000000000000001-00000000000000aa.json'), { recursive: true })
  writeFileSync(join(path, '999999999999999-00000000000000bb.json'), '{}')
  spool.add(toEntry('one'))
  spool.add(toEntry('two'))
  expect(texts(spool.list())).toEqual(['one', 'two'])
})

test('nobody else can read it', () => {
  using own = createSpool()
  const { name } = own.spool.add(toEntry('a secret'))
  expect(statSync(own.path).mode & 0o777).toBe(0o700)
  expect(statSync(join(own.path, name)).mode & 0o777).toBe(0o600)
})

test('what is refused is not sent any more, and stays with its reason until it was told, or a month', () => {
  using own = createSpool()
  const { spool, time } = own
  spool.refuse(spool.add(toEntry('one')), 'Nobody is called "api".')
  spool.refuse(spool.add(toEntry('two')), 'Nobody is called "api".')
  expect(spool.list()).toEqual([])
  const [one, two] = spool.refused()
  expect(one).toMatchObject({ reason: 'Nobody is called "api".', refusedAt: time.now })
  spool.forget(one!.name)
  expect(spool.refused()).toEqual([two])
  time.now += 30 * 24 * 3_600_000 + 1
  expect(spool.refused()).toEqual([])
})

test('a thousand are kept, and 16 MiB; one more is refused, and says what to do', () => {
  using own = createSpool()
  for (let count = 0; count < 1_000; count++) own.spool.add(toEntry(`${count}`))
  expect(() => own.spool.add(toEntry('one more'))).toThrow(
    'The hub at http://studio:7899 does not answer, and 1000 messages wait for it on this computer already: this one is not kept.',
  )
  using large = createSpool()
  const body = 'x'.repeat(64_000)
  const fill = () => {
    for (let count = 0; count < 300; count++) large.spool.add(toEntry(body))
  }
  expect(fill).toThrow(SpoolError)
  expect(large.spool.list().length).toBeGreaterThan(250)
}, 60_000)

test('a file that is no entry is left alone and keeps nothing back', () => {
  using own = createSpool()
  own.spool.add(toEntry('one'))
  writeFileSync(join(own.path, '000000000000001-0123456789abcdef.json'), '{"hub":1}')
  writeFileSync(join(own.path, 'notes.txt'), 'mine')
  writeFileSync(join(own.path, `000000000000002-0123456789abcdef.json.${toLabel(GONE.pid)}.tmp`), '{')
  expect(texts(own.spool.list())).toEqual(['one'])
  expect(readdirSync(own.path)).toHaveLength(4)
})

test('a spool that cannot be written says so, and nothing counts as kept', () => {
  using own = createSpool()
  mkdirSync(dirname(own.path))
  writeFileSync(own.path, 'in the way')
  expect(() => own.spool.add(toEntry('one'))).toThrow(/ENOTDIR|EEXIST/)
  expect(own.spool.list()).toEqual([])
})

test('a sender is known by its seat, its Claude process, or as the person', () => {
  const process = { pid: 7, start: 'then' }
  const web = toSender('web', { peerId: 'p_web' })
  const unseated = toSender('web')
  unseated.registration.process = process
  const seated = toSender('web', { peerId: 'p_web' })
  seated.registration.process = process
  const reused = toSender('web')
  reused.registration.process = { pid: 7, start: 'now' }
  const user = toSender('home')
  user.registration.kind = 'user'
  expect(isSameSender(web, seated)).toBe(true)
  expect(isSameSender(unseated, seated)).toBe(true)
  expect(isSameSender(unseated, reused)).toBe(false)
  expect(isSameSender(toSender('web'), toSender('web'))).toBe(false)
  expect(isSameSender(user, { ...user })).toBe(true)
  expect(isSameSender(user, web)).toBe(false)
})

test('what cannot be read any more keeps nothing back, and is told of', () => {
  using own = createSpool()
  const { name } = own.spool.add(toEntry('one'))
  own.spool.add(toEntry('two'))
  writeFileSync(join(own.path, name), '{"hub": "http://stu')
  mkdirSync(join(own.path, '000000000000001-0123456789abcdef.json'))
  const later = openSpool(own.path, { now: () => own.time.now })
  expect(texts(later.list())).toEqual(['two'])
  expect(later.unreadable()).toEqual([
    join(own.path, '000000000000001-0123456789abcdef.json'),
    join(own.path, name),
  ])
  later.add(toEntry('three'))
  expect(texts(later.list())).toEqual(['two', 'three'])
})

test('what could not be read again is not said to be kept', () => {
  using own = createSpool()
  const entry = toEntry('one')
  entry.sender = toSender('web')
  entry.sender.registration.branch = 'x'.repeat(256)
  expect(() => own.spool.add(entry)).toThrow('not kept')
  expect(own.spool.unreadable()).toEqual([])
})

test('what was sent is not told as refused, whoever comes second and whenever one is killed', () => {
  using own = createSpool()
  const one = own.spool.add(toEntry('one'))
  own.spool.remove(one.name)
  own.spool.refuse(one, 'The mailbox is full.')
  expect(own.spool.refused()).toEqual([])
  const two = own.spool.add(toEntry('two'))
  const path = join(own.path, two.name)
  const kept = readFileSync(path)
  own.spool.refuse(two, 'The mailbox is full.')
  // As a process leaves it that is killed between the two steps of a refusal.
  writeFileSync(path, kept)
  const next = openSpool(own.path, { now: () => own.time.now })
  next.remove(next.list()[0]!.name)
  expect(next.refused()).toEqual([])
})
