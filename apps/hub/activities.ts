import { PEERS_TOPIC } from '#db/bell'
import type { Database } from '#db/open'
import type { Activity, ActivityChange } from '#router/context'

export type Activities = ReturnType<typeof createActivities>

/**
 * What sessions say that they do. It is kept in memory: a prompt would otherwise cost a synced commit at its begin and
 * its end, and a hub that starts knows better than to believe what was true before. Changes take their numbers from
 * the same sequence as rows, so that a feed finds both behind one cursor.
 */
export function createActivities({ bell, nextSeq, peers }: Pick<Database, 'bell' | 'nextSeq' | 'peers'>) {
  /** In the order of the changes. Who was online before the hub started is news: what it does is unknown now. */
  const known = new Map<string, { activity: Activity | undefined; changedSeq: number }>(
    peers.online().map(({ id }) => [id, { activity: undefined, changedSeq: nextSeq() }]),
  )

  return {
    of: (peerId: string): Activity | undefined => known.get(peerId)?.activity,
    set(peerId: string, activity: Activity) {
      if (isSame(known.get(peerId)?.activity, activity)) return
      known.delete(peerId)
      known.set(peerId, { activity, changedSeq: nextSeq() })
      bell.note(PEERS_TOPIC)
      bell.ring()
    },
    /** Whoever goes offline does nothing; the feed tells that with the row. */
    forget: (peerId: string) => void known.delete(peerId),
    /** Whose activity changed after a cursor, oldest change first. */
    changedSince: (cursor: number): ActivityChange[] =>
      [...known]
        .filter(([, { changedSeq }]) => changedSeq > cursor)
        .map(([peerId, { changedSeq }]) => ({ peerId, changedSeq })),
  }
}

const isSame = (one: Activity | undefined, other: Activity) =>
  one?.activity === other.activity &&
  one.wakeable === other.wakeable &&
  one.headless === other.headless &&
  one.obstacle === other.obstacle
