import type { Database } from '#db/open'
import type { SeatRow } from '#db/peer-rows'
import type { Presence } from '#router/context'
import { createActivities } from './activities.ts'

/** How long a peer stays online after its link broke: reconnecting takes a few seconds. */
export const GRACE_MS = 15_000

/**
 * Who is online: the peers with an open link, those whose link broke less than 15 s ago, and, when the hub starts,
 * those who were online before it. A peer of this machine whose process is gone gets no grace.
 */
export function createPresence(options: {
  database: Database
  isRunning: (peer: SeatRow) => boolean | undefined
  onError: (cause: unknown) => void
}): Presence & { tick(): Promise<void> } {
  const { database, isRunning, onError } = options
  const links = new Map<string, number>()
  /** Who said goodbye with a link still open. A second link means that a new server has replaced the one that left. */
  const goodbyes = new Set<string>()
  const leaving = new Map(database.peers.online().map((peer) => [peer.id, database.now() + GRACE_MS]))

  const activities = createActivities(database)

  const turn = (peerId: string, online: boolean) => {
    if (!online) activities.forget(peerId)
    return database.queue.run(() => database.peers.setOnline(peerId, online))
  }

  return {
    arrived(peerId) {
      if (links.has(peerId)) return
      leaving.set(peerId, database.now() + GRACE_MS)
      // The seat may have a new holder, which tells for itself.
      activities.forget(peerId)
    },
    opened(peerId) {
      links.set(peerId, (links.get(peerId) ?? 0) + 1)
      leaving.delete(peerId)
      goodbyes.delete(peerId)
      turn(peerId, true).catch(onError)
    },
    closed(peerId) {
      const left = (links.get(peerId) ?? 1) - 1
      if (left > 0) {
        links.set(peerId, left)
        goodbyes.delete(peerId)
        return
      }
      links.delete(peerId)
      if (goodbyes.delete(peerId)) turn(peerId, false).catch(onError)
      else leaving.set(peerId, database.now() + GRACE_MS)
    },
    async left(peerId) {
      const open = links.get(peerId) ?? 0
      if (open > 0) goodbyes.add(peerId)
      // Of two links one is that of a server that has replaced the one that leaves.
      if (open > 1) return
      leaving.delete(peerId)
      await turn(peerId, false)
    },
    setActivity(peerId, activity) {
      if (links.has(peerId) || leaving.has(peerId)) activities.set(peerId, activity)
    },
    activityOf: activities.of,
    activitiesSince: activities.changedSince,
    /** Takes those offline whose grace is over, or whose process is gone; called every second. */
    async tick() {
      const now = database.now()
      // A clock that was set back would make a grace longer by that much.
      for (const [peerId, until] of leaving) leaving.set(peerId, Math.min(until, now + GRACE_MS))
      const over = [...leaving].filter(([peerId, until]) => until <= now || isGone(peerId))
      for (const [peerId] of over) leaving.delete(peerId)
      await Promise.all(over.map(([peerId]) => turn(peerId, false)))
    },
  }

  function isGone(peerId: string): boolean {
    const peer = database.peers.get(peerId)
    return peer === undefined || isRunning(peer) === false
  }
}
