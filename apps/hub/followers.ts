/**
 * Tells all that follow a feed, over whichever WebSocket, what comes. A ring only marks them. The first of them are told
 * before the write that rang is answered; each turn of the event loop tells for some milliseconds, so that thousands do
 * not hold up whoever calls.
 */
import type { Feed } from '#router/feed'
import { createFramer } from './framer.ts'
import { drained, isFull, isOpen, sayFrames, type Asked, type Line } from './line.ts'

/** A subscription: who follows, and under which request. */
export type Follower = Asked & {
  line: Line
  id: string | number
  /** The procedure that it asked for. */
  path: string
  /** `undefined` until that has let it in. */
  feed: Feed<unknown> | undefined
  /** Takes it off the bell. */
  unhear: (() => void) | undefined
  /** It waits until its line has room. */
  isHeld: boolean
  hasEnded: boolean
}

/** How long one turn of the event loop tells. */
const TURN_MS = 5

/** Makes the round of all followers. `onFailure` hears of a feed that is over: its caller may not listen any more, or it broke. */
export function createFollowers(onFailure: (follower: Follower, cause: unknown) => void) {
  /** In the order in which they are told. */
  const due = new Set<Follower>()
  const framer = createFramer()
  let isScheduled = false

  function mark(follower: Follower) {
    due.add(follower)
    if (!isScheduled) queueMicrotask(tellSome)
    isScheduled = true
  }

  function tellSome() {
    const end = performance.now() + TURN_MS
    for (const follower of due) {
      due.delete(follower)
      tell(follower)
      if (performance.now() >= end) break
    }
    framer.forget()
    isScheduled = due.size > 0
    if (isScheduled) setImmediate(tellSome)
  }

  function tell(follower: Follower) {
    const { line, feed, isHeld, hasEnded } = follower
    if (!feed || isHeld || hasEnded || !isOpen(line)) return
    if (isFull(line)) return hold(follower)
    try {
      const page = feed.next()
      if (page.events.length > 0) sayFrames(line, framer.toFrames(page, follower))
      // Behind the others.
      if (page.more) mark(follower)
    } catch (cause) {
      onFailure(follower, cause)
    }
  }

  function hold(follower: Follower) {
    follower.isHeld = true
    void drained(follower.line).then(() => {
      follower.isHeld = false
      mark(follower)
    })
  }

  return {
    /** Begins to tell. Throws when the connection follows too many feeds. */
    begin(follower: Follower, feed: Feed<unknown>) {
      feed.open()
      follower.feed = feed
      follower.unhear = feed.hear(() => mark(follower))
      mark(follower)
    },
    /** From now on it is told nothing. */
    end(follower: Follower) {
      if (follower.hasEnded) return
      follower.hasEnded = true
      due.delete(follower)
      follower.unhear?.()
      follower.feed?.close()
    },
  }
}
