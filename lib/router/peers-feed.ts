import { tracked, type TrackedEnvelope } from '@trpc/server'
import { PEERS_TOPIC } from '#db/bell'
import type { PeerRow } from '#db/peer-rows'
import type { Context } from './context.ts'
import { event, PAGE, toCursor, toFeed, toListener, type Feed } from './feed.ts'
import { findListed, toPage } from './roster.ts'
import { sharePages, type Place, type SharedPage } from './shared-page.ts'
import type { PeersEvent } from './shapes/peers.ts'
import { requireToken } from './trpc.ts'
import { toPeer } from './views.ts'

/** The seats of one part of a snapshot at most. */
const PART = 100

/**
 * Everybody's presence and description, for one caller. It remembers where the caller stands and not whom it told of:
 * the number of the last change of a presence says whether that is news to whoever stands there.
 */
export function watchPeers(
  context: Context,
  lastEventId: string | undefined,
  signal: AbortSignal | undefined,
): Feed<PeersEvent> {
  const ctx = toListener(context)
  const start = toCursor(lastEventId, ctx)
  let place: Place | undefined = start === undefined ? undefined : { cursor: start, since: start }
  let snapshot: { seq: number; cursor: string | undefined } | undefined
  const read = () => {
    if (place) return readPage(ctx, place)
    // What changes while it is told is told again as a change.
    snapshot ??= { seq: ctx.database.lastSeq(), cursor: undefined }
    const { events, nextCursor } = readSnapshot(ctx, snapshot)
    if (nextCursor === null) place = { cursor: snapshot.seq, since: snapshot.seq }
    else snapshot.cursor = nextCursor
    return { events, more: nextCursor !== null || ctx.database.lastSeq() > snapshot.seq }
  }
  return toFeed(ctx, { topic: PEERS_TOPIC, check: () => requireToken(ctx), read }, signal)
}

/** One part of it. Only after the last can a client resume. */
function readSnapshot(ctx: Context, { seq, cursor }: { seq: number; cursor: string | undefined }) {
  const rows = findListed(ctx, undefined, { scope: 'network' })
  const { peers, nextCursor } = toPage(ctx, rows, { cursor, limit: PART })
  const part = { type: 'snapshot', peers, more: nextCursor !== null } as const
  const told: TrackedEnvelope<PeersEvent> =
    nextCursor === null ? event(ctx, seq, part) : tracked('part', part)
  return { events: [told], nextCursor }
}

const readPage = sharePages((ctx, place): SharedPage<PeersEvent> => {
  const changes = readChanges(ctx, place)
  const more = changes.length === PAGE
  return {
    events: changes.map((change) =>
      event(ctx, change.seq, { type: toType(change, place), peer: toPeer(change.row, ctx.hub) } as const),
    ),
    more,
    cursor: more ? changes.at(-1)!.seq : ctx.database.lastSeq(),
  }
})

/** `isFirst`: of two changes of one seat, of its row and of its activity, the one that was before. */
type Change = { row: PeerRow; seq: number; isFirst: boolean }

/** Seats whose row or activity changed after a cursor, oldest change first; one in which both did comes twice. */
function readChanges({ database, hub }: Context, { cursor, since }: Place): Change[] {
  const active = hub.presence.activitiesSince(since)
  const seqOf = new Map(active.map(({ peerId, changedSeq }) => [peerId, changedSeq]))
  const ofRows = database.peers.changedSince(cursor, PAGE).map((row) => {
    const other = seqOf.get(row.id) ?? Infinity
    return { row, seq: row.changedSeq, isFirst: row.changedSeq < other }
  })
  const ofActivities: Change[] = []
  for (const { peerId, changedSeq: seq } of active) {
    const row = seq > cursor ? database.peers.get(peerId) : undefined
    if (row) ofActivities.push({ row, seq, isFirst: seq < row.changedSeq })
    if (ofActivities.length === PAGE) break
  }
  return [...ofRows, ...ofActivities].toSorted((one, other) => one.seq - other.seq).slice(0, PAGE)
}

function toType({ row, isFirst }: Change, { since }: Place): 'joined' | 'changed' | 'left' {
  if (row.onlineSeq <= since || !isFirst) return 'changed'
  return row.online ? 'joined' : 'left'
}
