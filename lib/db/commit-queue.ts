/**
 * Group commit. A durable commit costs one disk sync whatever it holds, so the writes that arrive while the
 * last one syncs share the next, and none is answered before the commit. One write alone pays one event-loop turn;
 * 64 together pay one sync instead of 64. A write that throws must leave nothing behind, and hardly any throws: so they
 * run without savepoints, each of which would copy every page that its write changes, and when one throws all are rolled
 * back and run again, each in its savepoint. The price: a write may run twice, and must do nothing but read and write the
 * database and note what is to be rung.
 */
import type Sqlite from 'better-sqlite3'
import type { Bell } from './bell.ts'
import type { Meter } from './meter.ts'

export type CommitQueue = {
  /**
   * Runs `work` inside the next shared transaction; settles after its commit. A throw rolls back only `work`. When another
   * throws, it runs once more: whatever it does but to the database and the bell, it may do twice.
   */
  run<T>(work: () => T): Promise<T>
  /**
   * The same, and settles with what `answer` reads once all writes of the transaction are done. It only reads: when it
   * throws, the writer hears of that, and the write stands.
   */
  run<T, Answer>(work: () => T, answer: (value: T) => Answer): Promise<Answer>
  /** Commits what has been asked for so far, now; used at shutdown. */
  flush(): void
}

/** More writes than this wait for the transaction after: it bounds how long one commit holds the event loop. */
const LARGEST_GROUP = 256

type Job = {
  work: () => unknown
  answer: ((value: never) => unknown) | undefined
  resolve: (value: never) => void
  reject: (cause: unknown) => void
}
type Outcome = { value: unknown } | { cause: unknown }

/**
 * Makes the queue of one connection. What its writes note is rung after their commit, before the writers hear of it. When
 * `secure` throws after a commit, it cannot be relied on, and every writer hears of that.
 */
export function createCommitQueue(
  sqlite: Sqlite.Database,
  bell: Pick<Bell, 'mark' | 'takeBack' | 'ring'>,
  { meter, secure }: { meter?: Pick<Meter, 'committed'> | undefined; secure?: () => void } = {},
): CommitQueue {
  const statements = prepareTransaction(sqlite)
  let jobs: Job[] = []
  let scheduled = false

  function schedule() {
    if (scheduled) return
    scheduled = true
    setImmediate(() => {
      scheduled = false
      try {
        commitGroup()
      } finally {
        if (jobs.length > 0) schedule()
      }
    })
  }

  function commitGroup() {
    const group = jobs.splice(0, LARGEST_GROUP)
    if (group.length === 0) return
    const mark = bell.mark()
    const begin = meter ? performance.now() : 0
    let outcomes: Outcome[]
    try {
      outcomes = (runTogether(group, mark) ?? runApart(group)).map((outcome, index) =>
        answer(group[index]!, outcome),
      )
      statements.commit.run()
      secure?.()
    } catch (cause) {
      bell.takeBack(mark)
      for (const job of group) job.reject(cause)
      if (sqlite.inTransaction) statements.rollback.run()
      return
    }
    try {
      meter?.committed(group.length, performance.now() - begin)
      bell.ring()
    } finally {
      for (const [index, job] of group.entries()) settle(job, outcomes[index]!)
    }
  }

  /** Begins a transaction and runs all writes in it; when one throws, nothing has happened, and it gives nothing. */
  function runTogether(group: Job[], mark: number): Outcome[] | undefined {
    statements.begin.run()
    try {
      return group.map((job) => {
        const value = job.work()
        // It caught what rolled all back, and what comes after it would be committed statement by statement.
        if (!sqlite.inTransaction) throw new Error('The transaction was rolled back: the disk may be full.')
        return { value }
      })
    } catch (cause) {
      // A full disk or an I/O error rolls the whole transaction back by itself, and would again.
      if (!sqlite.inTransaction) throw cause
      statements.rollback.run()
      bell.takeBack(mark)
      return undefined
    }
  }

  /** The same, in which a write that throws takes back what it did alone. */
  function runApart(group: Job[]): Outcome[] {
    statements.begin.run()
    return group.map((job) => runInSavepoint(job.work))
  }

  /** What a job is answered, when it asks for more than its outcome. */
  function answer(job: Job, outcome: Outcome): Outcome {
    if (!job.answer || 'cause' in outcome) return outcome
    try {
      return { value: job.answer(outcome.value as never) }
    } catch (cause) {
      if (!sqlite.inTransaction) throw cause
      return { cause }
    }
  }

  function runInSavepoint(work: () => unknown): Outcome {
    const mark = bell.mark()
    statements.savepoint.run()
    try {
      const value = work()
      statements.release.run()
      return { value }
    } catch (cause) {
      // A full disk or an I/O error rolls the whole transaction back by itself: nothing is left to return to.
      if (!sqlite.inTransaction) throw cause
      statements.rollbackTo.run()
      statements.release.run()
      bell.takeBack(mark)
      return { cause }
    }
  }

  return {
    run<T>(work: () => T, answerOf?: (value: T) => T) {
      return new Promise<T>((resolve, reject) => {
        jobs.push({ work, answer: answerOf, resolve, reject })
        schedule()
      })
    },
    flush() {
      while (jobs.length > 0) commitGroup()
    },
  }
}

function settle(job: Job, outcome: Outcome) {
  if ('cause' in outcome) job.reject(outcome.cause)
  else job.resolve(outcome.value as never)
}

function prepareTransaction(sqlite: Sqlite.Database) {
  return {
    begin: sqlite.prepare('begin immediate'),
    commit: sqlite.prepare('commit'),
    rollback: sqlite.prepare('rollback'),
    savepoint: sqlite.prepare('savepoint one_write'),
    rollbackTo: sqlite.prepare('rollback to one_write'),
    release: sqlite.prepare('release one_write'),
  }
}
