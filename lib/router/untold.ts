import type { MailChange } from '#db/bell'
import type { Database } from '#db/open'

export type Untold = {
  /** Notes what has just changed. */
  hear(changes: readonly MailChange[]): void
  /** The oldest that were not told, `limit` at most; from now on they were. `more`: there may be others. */
  take(limit: number): { changes: MailChange[]; more: boolean }
  /** All of what changed up to here was told. */
  cursor(): number
}

/** What is kept at most for one who is up to date; who falls behind by more looks up what it missed. */
const MOST_KEPT = 256
/** What one look-up gives at most, some 100 bytes each: the next reads anew what the peer ever sent. */
const MOST_LOOKED_UP = 4_096

/**
 * Which changes of what a peer sent its follower was not told of. Who follows hears of each, so it is looked up in the
 * database for who begins, after the cursor that it came with, and for who fell behind by more than is kept. A change
 * that is kept counts by the number that it had then, though its delivery may have changed again: that is a later one.
 */
export function createUntold(database: Database, senderId: string, start: number): Untold {
  let cursor = start
  /** In the order of the numbers: a look-up gives them so, and so do rings. */
  let kept: Map<string, MailChange> | undefined
  /** Nothing above the cursor is missing in what is kept. */
  let isWhole = false

  function keep(changes: readonly MailChange[]) {
    kept ??= new Map()
    for (const change of changes) {
      const key = toKey(change)
      kept.delete(key)
      kept.set(key, change)
    }
  }

  return {
    hear(changes) {
      if (!isWhole || changes.length === 0) return
      keep(changes)
      if (kept!.size <= MOST_KEPT) return
      kept = undefined
      isWhole = false
    },
    take(limit) {
      if (!kept && !isWhole) {
        const found = database.messages.sentSince(senderId, cursor, MOST_LOOKED_UP)
        keep(found)
        isWhole = found.length < MOST_LOOKED_UP
      }
      const changes = [...(kept?.values() ?? [])].slice(0, limit)
      for (const change of changes) kept!.delete(toKey(change))
      cursor = changes.at(-1)?.changedSeq ?? cursor
      const isEmpty = !kept || kept.size === 0
      if (isEmpty) kept = undefined
      return { changes, more: !isEmpty || !isWhole }
    },
    cursor: () => cursor,
  }
}

const toKey = ({ messageId, recipientId }: MailChange) => `${messageId} ${recipientId}`
