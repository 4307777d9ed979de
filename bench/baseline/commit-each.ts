/**
 * A commit queue without a queue, for a hub that is as fast as one can be that does not group: every write is a
 * transaction of its own, and `synchronous=NORMAL` syncs none of them, so that a power cut loses what was acknowledged.
 */
import type Sqlite from 'better-sqlite3'
import type { Bell } from '../../lib/db/bell.ts'
import type { CommitQueue } from '../../lib/db/commit-queue.ts'

export function createCommitQueue(
  sqlite: Sqlite.Database,
  bell: Pick<Bell, 'mark' | 'takeBack' | 'ring'>,
): CommitQueue {
  const statements = {
    begin: sqlite.prepare('begin immediate'),
    commit: sqlite.prepare('commit'),
    rollback: sqlite.prepare('rollback'),
  }
  sqlite.pragma('synchronous = NORMAL')

  function write<T>(work: () => T): T {
    const mark = bell.mark()
    statements.begin.run()
    try {
      const value = work()
      statements.commit.run()
      return value
    } catch (cause) {
      if (sqlite.inTransaction) statements.rollback.run()
      bell.takeBack(mark)
      throw cause
    }
  }

  return {
    async run<T>(work: () => T, answer: (value: T) => T = (value) => value) {
      const value = write(() => answer(work()))
      bell.ring()
      return value
    },
    flush: () => undefined,
  }
}
