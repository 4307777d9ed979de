import { PEERS_TOPIC } from '#db/bell'
import type { PeerRow } from '#db/peer-rows'
import type { Context } from './context.ts'
import { event, PAGE, toCursor, toFeed, toListener, type Feed, type Page } from './feed.ts'
import { LISTED_MS } from './scope.ts'
import { sharePages, type Place, type SharedPage } from './shared-page.ts'
import type { PeersEvent } from './shapes/peers.ts'
import { requireToken } from './trpc.ts'
import { toPeer } from './views.ts'

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
  const read = () => {
    if (place) return readPage(ctx, place)
    const now = ctx.database.lastSeq()
    place = { cursor: now, since: now }
    return readSnapshot(ctx, now)
  }
  return toFeed(ctx, { topic: PEERS_TOPIC, check: () => requireToken(ctx), read }, signal)
}

function readSnapshot(ctx: Context, seq: number): Page<PeersEvent> {
  const { database, hub } = ctx
  const rows = database.peers.list(database.now() - LISTED_MS)
  const peers = rows.map((row) => toPeer(row, hub))
  return { events: [event(ctx, seq, { type: 'snapshot', peers } as const)], more: false }
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
