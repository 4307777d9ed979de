/**
 * What a subscription gives: a feed, which tells what changes for as long as somebody follows it. It keeps no queue of
 * events. Rows carry the number of their last change, and whoever drives the feed asks for the next page when its doorbell
 * rang and the follower can take more: a stalled one costs no growing buffer. The hub's WebSockets drive feeds by
 * themselves, thousands at once without a generator for each, which cost 15 KiB (seen); in a process a feed is iterated.
 */
import { tracked, TRPCError, type TrackedEnvelope } from '@trpc/server'
import { listenBy, type MailChange } from '#db/bell'
import type { Context } from './context.ts'

/** Rows read at once. The widest are peers with paths of 4 KiB: a page of them is 250 KiB on the wire. */
export const PAGE = 25
/** The most feeds of one connection: each takes memory, and work at each change. A session has one. */
const MAX_FEEDS = 32

/** What is told at once. `more`: another page is there already. */
export type Page<Data> = { events: TrackedEnvelope<Data>[]; more: boolean }

export type FeedSource<Data> = {
  /** What rings when there may be something to tell. */
  topic: string
  /** Throws when the caller may listen no longer; asked before it is told anything. */
  check: () => void
  /** Told at each ring, which must not throw, with what changed of the mail that the owner of the mailbox sent. */
  heard?: (sent: readonly MailChange[]) => void
  /** What was not told yet. */
  read: () => Page<Data>
  /** Told when the feed begins to be followed, and when that ends. */
  opened?: () => void
  closed?: () => void
}

/** Driven by hand: `open`, `hear`, `next` at first and after each ring, `close`. Or iterated, which does all that. */
export type Feed<Data> = AsyncIterable<TrackedEnvelope<Data>, void> & {
  /** Throws when the connection follows too many feeds already. */
  open: () => void
  /** Calls `wake` at each ring, within the ring, until what it returns is called. */
  hear: (wake: () => void) => () => void
  /** Throws when the caller may not listen any more: the feed is over then. */
  next: () => Page<Data>
  close: () => void
}

/** Makes the feed of a caller. Iterating it ends only by the signal or an error, as its end would end the subscription for good. */
export function toFeed<Data>(ctx: Context, source: FeedSource<Data>, signal?: AbortSignal): Feed<Data> {
  const feed: Feed<Data> = {
    open() {
      takePlace(ctx)
      source.opened?.()
    },
    hear: (wake) =>
      ctx.database.bell.hear(source.topic, (sent) => {
        source.heard?.(sent)
        wake()
      }),
    next() {
      source.check()
      return source.read()
    },
    close() {
      leavePlace(ctx)
      source.closed?.()
    },
    [Symbol.asyncIterator]: () => iterate(feed, signal),
  }
  return feed
}

/** Whether the answer of a procedure is a feed. */
export const isFeed = (answer: unknown): answer is Feed<unknown> =>
  typeof answer === 'object' && answer !== null && 'hear' in answer && Symbol.asyncIterator in answer

/** What a feed keeps of the context of its call: not what that call found out, such as the whole row of the caller. */
export function toListener({ database, hub, key, caller, proof, feeds }: Context): Context {
  return { database, hub, key, caller, proof, feeds }
}

async function* iterate<Data>(
  feed: Feed<Data>,
  signal: AbortSignal | undefined,
): AsyncGenerator<TrackedEnvelope<Data>, void> {
  feed.open()
  try {
    using listener = listenBy(feed.hear, signal)
    for (;;) {
      if (signal?.aborted) return
      const page = feed.next()
      for (const event of page.events) yield event
      if (!page.more && !(await listener.rung())) return
    }
  } finally {
    feed.close()
  }
}

/** Counts a feed of a connection. */
function takePlace({ feeds }: Context): void {
  if (!feeds) return
  if (feeds.open >= MAX_FEEDS) {
    throw new TRPCError({
      code: 'TOO_MANY_REQUESTS',
      message: `One connection follows ${MAX_FEEDS} feeds at most: end one first.`,
    })
  }
  feeds.open++
}

function leavePlace({ feeds }: Context): void {
  if (feeds) feeds.open--
}

/** The cursor that a client kept; `undefined` for none, or one that was not given in this history of the database. */
export function toCursor(lastEventId: string | undefined, { database }: Context): number | undefined {
  const [, epoch, seq] = /^([0-9a-z]{1,6})\.(\d{1,16})$/.exec(lastEventId ?? '') ?? []
  if (seq === undefined || epoch !== database.epoch) return undefined
  const cursor = Number(seq)
  return cursor <= database.lastSeq() ? cursor : undefined
}

/**
 * Where a feed without a snapshot begins: after the cursor, without one from now on. Who was given a cursor in another
 * history, as before a backup was restored, is told all that changed since the hub opened this one.
 */
export function toStart(lastEventId: string | undefined, ctx: Context): number {
  if (lastEventId === undefined) return ctx.database.lastSeq()
  return toCursor(lastEventId, ctx) ?? ctx.database.openedSeq
}

/** An event that a client can resume after. */
export const event = <Data>({ database }: Context, seq: number, data: Data): TrackedEnvelope<Data> =>
  tracked(`${database.epoch}.${seq}`, data)
