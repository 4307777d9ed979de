/**
 * Lists of seats, a page at a time. There may be thousands, with paths of 4 KiB: one answer holds a bounded part of them,
 * and what makes it is shared. Pages are in an order that no change of state moves, so that who reads them all meets each
 * seat once, whatever changes meanwhile.
 */
import { TRPCError } from '@trpc/server'
import type { SeatRow } from '#db/peer-rows'
import { inOrder, type Placed } from '#db/roster'
import type { Context } from './context.ts'
import { isWithin, LISTED_MS } from './scope.ts'
import type { Peer, Scope } from './shapes/peers.ts'
import { toPeer } from './views.ts'

/** A page ends early when what it tells has more characters than this. */
const PAGE_CHARS = 64 * 1_024
/** About what a seat has besides its words. */
const SEAT_CHARS = 400

export type Wanted = {
  scope: Scope
  /** Only who has this in its address, directory, branch or summary. */
  search?: string | undefined
}
export type PeersPage = { peers: Peer[]; nextCursor: string | null }

/** The seats that somebody lists. Throws BAD_REQUEST for a scope that is seen from nowhere. */
export function findListed(ctx: Context, self: SeatRow | undefined, { scope, search }: Wanted): SeatRow[] {
  const { database } = ctx
  const isInScope = isWithin(scope, self)
  const words = search?.toLowerCase()
  return database.peers
    .list(database.now() - LISTED_MS)
    .filter((row) => isInScope(row) && (words === undefined || toWords(row).includes(words)))
}

/** The seats after a cursor, at most `limit`. Throws BAD_REQUEST for a cursor that is none. */
export function toPage(
  ctx: Context,
  rows: readonly SeatRow[],
  { cursor, limit }: { cursor?: string | undefined; limit: number },
): PeersPage {
  const after = cursor === undefined ? undefined : readCursor(cursor)
  const start = after ? rows.findIndex((row) => inOrder(row, after) > 0) : 0
  const taken = takeSome(start < 0 ? [] : rows.slice(start, start + limit))
  const last = taken.at(-1)
  const isLast = start < 0 || start + taken.length === rows.length
  return { peers: taken.map((row) => toSeen(ctx, row)), nextCursor: last && !isLast ? toCursor(last) : null }
}

/** A seat of the list as others see it, with the mail that waits for it now. */
export const toSeen = ({ database, hub }: Context, row: SeatRow): Peer =>
  toPeer({ ...row, waiting: database.peers.waiting(row.id) }, hub)

/** As many of the first as an answer has room for, and always one. */
export function takeSome(rows: SeatRow[]): SeatRow[] {
  let chars = 0
  const end = rows.findIndex((row) => (chars += toLength(row)) > PAGE_CHARS)
  return end < 0 ? rows : rows.slice(0, Math.max(1, end))
}

const toLength = ({ cwd, root, summary, branch }: SeatRow) =>
  cwd.length + root.length + summary.length + (branch?.length ?? 0) + SEAT_CHARS

const toWords = ({ name, host, cwd, branch, summary }: SeatRow) =>
  `${name}@${host}\n${cwd}\n${branch ?? ''}\n${summary}`.toLowerCase()

const toCursor = ({ name, host, id }: Placed): string =>
  Buffer.from(JSON.stringify([name, host, id])).toString('base64url')

function readCursor(cursor: string): Placed {
  try {
    const read: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    if (Array.isArray(read) && read.length === 3 && read.every((part) => typeof part === 'string')) {
      const [name, host, id] = read as [string, string, string]
      return { name, host, id }
    }
  } catch {
    // Not JSON: none of ours.
  }
  throw new TRPCError({
    code: 'BAD_REQUEST',
    message: 'This cursor is not one that a list of peers answered: leave it out to begin at the first.',
  })
}
