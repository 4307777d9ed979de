import { array, assert, asyncProperty, boolean, nat, record } from 'fast-check'
import { expect, test } from 'vitest'
import { createBell } from '../../lib/db/bell.ts'
import { createCommitQueue } from '../../lib/db/commit-queue.ts'
import { listen } from '../harness/listen.ts'
import { makeDirectory, openPlain } from './harness.ts'

/** A table of numbers behind a commit queue, and a log of the transactions that reached the database. */
function openQueue(file = ':memory:', bell = createBell()) {
  const sqlite = openPlain(file)
  sqlite.exec('create table if not exists numbers (number integer primary key)')
  const log: string[] = []
  const prepare = sqlite.prepare.bind(sqlite)
  sqlite.prepare = ((text: string) => {
    const statement = prepare(text)
    const run = statement.run.bind(statement)
    statement.run = (...values) => {
      log.push(text)
      return run(...values)
    }
    return statement
  }) as typeof sqlite.prepare
  const queue = createCommitQueue(sqlite, bell)
  const statement = prepare('insert into numbers values (?)')
  const insert = (number: number) => statement.run(number).changes
  return {
    sqlite,
    queue,
    bell,
    log,
    insert,
    add: (number: number) => queue.run(() => insert(number)),
    numbers: () => sqlite.prepare('select number from numbers').pluck().all(),
    [Symbol.dispose]: () => void sqlite.close(),
  }
}

const count = (log: string[], text: string) => log.filter((one) => one === text).length

test('writes that arrive together share one transaction, without savepoints', async () => {
  using db = openQueue()
  const results = await Promise.all([1, 2, 3].map(db.add))
  expect(results).toEqual([1, 1, 1])
  expect(db.log).toEqual(['begin immediate', 'commit'])
})

test('when one throws, all of them run again, each in a savepoint', async () => {
  using db = openQueue()
  const failing = db.queue.run(() => {
    throw new Error('second thoughts')
  })
  expect(await Promise.allSettled([db.add(1), failing, db.add(2)])).toMatchObject([
    { value: 1 },
    { status: 'rejected' },
    { value: 1 },
  ])
  expect(db.log.slice(0, 3)).toEqual(['begin immediate', 'rollback', 'begin immediate'])
  expect([count(db.log, 'savepoint one_write'), count(db.log, 'commit')]).toEqual([3, 1])
  expect(db.numbers()).toEqual([1, 2])
})

/** What one write does: it stores numbers, each of which is refused when it is there already, and may throw then. */
const write = record({ numbers: array(nat(8), { maxLength: 3 }), throws: boolean() })
type Write = { numbers: number[]; throws: boolean }

test('whichever of them throw, it is as if each had had a transaction of its own', async () => {
  const groups = array(array(write, { minLength: 1, maxLength: 6 }), { maxLength: 4 })
  const holds = asyncProperty(groups, async (all) => {
    using together = openRecorded()
    using apart = openRecorded()
    for (const group of all) {
      const outcomes = await together.perform(group)
      const each: unknown[] = []
      for (const one of group) each.push(...(await apart.perform([one])))
      expect(outcomes).toEqual(each)
      expect(together.rung).toEqual(apart.rung)
      expect(together.numbers()).toEqual(apart.numbers())
    }
  })
  await assert(holds, { numRuns: 200 })
})

/** A queue whose writes tell what they saw, and what was rung for them. */
function openRecorded() {
  const db = openQueue()
  const rung: number[] = []
  const insert = db.sqlite.prepare('insert into numbers values (?)')
  const perform = async (group: Write[]) => {
    const running = group.map(({ numbers, throws }) =>
      db.queue.run(() => {
        for (const number of numbers) {
          insert.run(number)
          db.bell.noteWork(() => rung.push(number))
        }
        if (throws) throw new Error('second thoughts')
        return db.numbers()
      }),
    )
    db.queue.flush()
    return Promise.allSettled(running)
  }
  return { ...db, rung, perform }
}

test('a write is answered after its commit, with its value', async () => {
  using directory = makeDirectory()
  using db = openQueue(directory.file)
  using reader = openPlain(directory.file)
  const seen = reader.prepare('select count(*) from numbers').pluck()
  const seenInside = db.queue.run(() => {
    db.sqlite.prepare('insert into numbers values (7)').run()
    return seen.get()
  })
  expect(await seenInside).toBe(0)
  expect(seen.get()).toBe(1)
})

test('writes run in the order in which they were asked for', async () => {
  using db = openQueue()
  const order: number[] = []
  await Promise.all(Array.from({ length: 10 }, (_, number) => db.queue.run(() => order.push(number))))
  expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

test('a write that is asked for while others commit goes into the next transaction', async () => {
  using db = openQueue()
  await db.queue.run(() => void db.add(2))
  await db.add(3)
  expect(db.numbers()).toEqual([2, 3])
  expect(count(db.log, 'commit')).toBe(2)
})

test('more than 256 writes are split, so that the event loop is not held for long', async () => {
  using db = openQueue()
  await Promise.all(Array.from({ length: 600 }, (_, number) => db.add(number)))
  expect(count(db.log, 'commit')).toBe(3)
  expect(db.numbers()).toHaveLength(600)
})

test('a write that throws is rolled back alone', async () => {
  using db = openQueue()
  const failing = db.queue.run(() => {
    db.sqlite.prepare('insert into numbers values (2)').run()
    throw new Error('second thoughts')
  })
  const writes = await Promise.allSettled([db.add(1), failing, db.add(1), db.add(3)])
  expect(writes.map((one) => one.status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
  await expect(failing).rejects.toThrow('second thoughts')
  expect(db.numbers()).toEqual([1, 3])
})

test('when a transaction cannot begin, all of its writes are refused and none is run', async () => {
  using directory = makeDirectory()
  using db = openQueue(directory.file)
  using other = openPlain(directory.file)
  other.exec('begin immediate')
  const writes = await Promise.allSettled([db.add(1), db.add(2)])
  for (const one of writes) expect(one).toMatchObject({ status: 'rejected', reason: { code: 'SQLITE_BUSY' } })
  other.exec('commit')
  expect(await db.add(3)).toBe(1)
  expect(db.numbers()).toEqual([3])
})

test('when a commit fails, all of its writes are refused and none is kept', async () => {
  using db = openQueue()
  db.sqlite.pragma('foreign_keys = on')
  db.sqlite.exec('create table child (number integer references numbers deferrable initially deferred)')
  const orphan = db.queue.run(() => db.sqlite.prepare('insert into child values (99)').run())
  const writes = await Promise.allSettled([db.add(1), orphan])
  for (const one of writes)
    expect(one).toMatchObject({ status: 'rejected', reason: { code: 'SQLITE_CONSTRAINT_FOREIGNKEY' } })
  expect(db.sqlite.inTransaction).toBe(false)
  expect(await db.add(2)).toBe(1)
  expect(db.numbers()).toEqual([2])
})

test('a write that loses the whole transaction takes the others with it, and the next are unharmed', async () => {
  using db = openQueue()
  const fatal = db.queue.run(() => {
    // What SQLite does by itself when the disk is full.
    db.sqlite.exec('rollback')
    throw new Error('the disk is full')
  })
  const writes = await Promise.allSettled([db.add(1), fatal, db.add(2)])
  for (const one of writes)
    expect(one).toMatchObject({ status: 'rejected', reason: { message: 'the disk is full' } })
  expect(await db.add(3)).toBe(1)
  expect(db.numbers()).toEqual([3])
})

test('a write that hides the loss of its transaction is refused with the others, and nothing of them is kept', async () => {
  using db = openQueue()
  const writes = await Promise.allSettled([
    db.add(1),
    db.queue.run(() => db.sqlite.exec('rollback')),
    db.add(2),
  ])
  expect(writes.map((one) => one.status)).toEqual(['rejected', 'rejected', 'rejected'])
  expect(await db.add(3)).toBe(1)
  expect(db.numbers()).toEqual([3])
})

test('an answer is read behind all writes of its transaction, and before anybody else can write', async () => {
  using db = openQueue()
  const numbers = () => [db.numbers(), db.sqlite.inTransaction]
  const [first] = await Promise.all([db.queue.run(() => db.insert(1), numbers), db.add(2)])
  expect(first).toEqual([[1, 2], true])
  // Also when another throws, and they run apart.
  const [second] = await Promise.allSettled([db.queue.run(() => db.insert(3), numbers), db.add(1), db.add(4)])
  expect(second).toMatchObject({ value: [[1, 2, 3, 4], true] })
})

test('an answer that fails is told to its writer alone, whose write stays', async () => {
  using db = openQueue()
  const fail = () => {
    throw new Error('no words')
  }
  const [failed, other] = await Promise.allSettled([db.queue.run(() => db.insert(1), fail), db.add(2)])
  expect(failed).toMatchObject({ status: 'rejected', reason: { message: 'no words' } })
  expect(other).toMatchObject({ status: 'fulfilled' })
  expect(db.numbers()).toEqual([1, 2])
})

test('a full disk refuses the writes that need room, and what was answered stays', async () => {
  using directory = makeDirectory()
  using db = openQueue(directory.file)
  db.sqlite.exec('create table bodies (body text)')
  const insert = db.sqlite.prepare('insert into bodies values (?)')
  const write = (length: number) => db.queue.run(() => insert.run('x'.repeat(length)))
  await write(10)
  db.sqlite.pragma(`max_page_count = ${Number(db.sqlite.pragma('page_count', { simple: true }))}`)
  const writes = await Promise.allSettled([write(20), write(100_000)])
  expect(writes[1]).toMatchObject({ status: 'rejected', reason: { code: 'SQLITE_FULL' } })
  expect(db.sqlite.inTransaction).toBe(false)
  await write(30)
  const kept = db.sqlite.prepare('select length(body) from bodies').pluck().all()
  expect(kept).toEqual(writes[0]?.status === 'fulfilled' ? [10, 20, 30] : [10, 30])
})

test('nothing is rung when the commit fails, not even later', async () => {
  using db = openQueue()
  using listener = listen(db.bell, 'topic')
  db.sqlite.pragma('foreign_keys = on')
  db.sqlite.exec('create table child (number integer references numbers deferrable initially deferred)')
  const failing = db.queue.run(() => {
    db.bell.note('topic')
    db.sqlite.prepare('insert into child values (99)').run()
  })
  await expect(failing).rejects.toThrow('FOREIGN KEY')
  await db.add(1)
  const silence = new Promise((resolve) => setImmediate(resolve, 'silence'))
  expect(await Promise.race([listener.rung(), silence])).toBe('silence')
})

test('a bell that throws leaves no writer without its answer, and the queue goes on', async () => {
  const bell = createBell()
  using db = openQueue(':memory:', {
    ...bell,
    ring() {
      throw new Error('a listener failed')
    },
  })
  const written = db.add(1)
  expect(() => db.queue.flush()).toThrow('a listener failed')
  expect(await written).toBe(1)
  const next = db.add(2)
  expect(() => db.queue.flush()).toThrow('a listener failed')
  expect(await next).toBe(1)
})

test('a flush commits what was asked for, at once', async () => {
  using db = openQueue()
  const written = db.add(1)
  db.queue.flush()
  expect(db.numbers()).toEqual([1])
  expect(await written).toBe(1)
  db.queue.flush()
  expect(count(db.log, 'commit')).toBe(1)
})

test('a write after the database was closed is refused', async () => {
  const db = openQueue()
  db.sqlite.close()
  await expect(db.add(1)).rejects.toThrow('not open')
})

test('one write alone waits for no other: it is committed in the next turn', async () => {
  using db = openQueue()
  const written = db.add(1)
  const turn = new Promise((resolve) => setImmediate(() => setImmediate(resolve, 'too late')))
  expect(await Promise.race([written, turn])).toBe(1)
})
