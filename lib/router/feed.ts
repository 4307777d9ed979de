import { tracked, TRPCError } from '@trpc/server'
import type { Context } from './context.ts'

/** Rows read at once. The widest are peers with paths of 4 KiB: a page of them is 250 KiB on the wire. */
const PAGE = 25
/** The most feeds of one connection; each takes 30 KiB of memory (seen), and work at each change. A session has one. */
const MAX_FEEDS = 32

export type FeedOptions<Row> = {
  ctx: Context
  topic: string
  signal: AbortSignal | undefined
  /** The change after which to go on. */
  cursor: number
  /** Throws when the caller may listen no longer; asked before it is told anything. */
  check: () => void
  read: (cursor: number, limit: number) => Row[]
}

/**
 * Yields the rows that change, in the order of their changes, for as long as the caller listens. It reads by cursor
 * behind a doorbell and waits while the caller's connection is full: a stalled caller costs no growing buffer. It
 * throws when the caller may not listen any more, and returns only on abort, because a generator that returns ends the client's subscription for good.
 */
export async function* followChanges<Row extends { changedSeq: number }>(
  options: FeedOptions<Row>,
): AsyncGenerator<Row[], void> {
  const { ctx, signal, read } = options
  using _place = takePlace(ctx)
  using listener = ctx.database.bell.listen(options.topic, signal)
  let cursor = options.cursor
  for (;;) {
    await ctx.drained?.()
    if (signal?.aborted) return
    options.check()
    const rows = read(cursor, PAGE)
    cursor = rows.at(-1)?.changedSeq ?? cursor
    yield rows
    if (rows.length < PAGE && !(await listener.rung())) return
  }
}

/** Counts a feed of a connection until it ends. */
function takePlace({ feeds = { open: 0 } }: Context): Disposable {
  if (feeds.open >= MAX_FEEDS) {
    throw new TRPCError({
      code: 'TOO_MANY_REQUESTS',
      message: `One connection follows ${MAX_FEEDS} feeds at most: end one first.`,
    })
  }
  feeds.open++
  return { [Symbol.dispose]: () => void feeds.open-- }
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
export const event = <Data>({ database }: Context, seq: number, data: Data) =>
  tracked(`${database.epoch}.${seq}`, data)
