import type { TrackedEnvelope } from '@trpc/server'
import { PEERS_TOPIC } from '#db/bell'
import { isHeld, type Context } from './context.ts'
import { event, followChanges, toCursor } from './feed.ts'
import { isWithin, LISTED_MS } from './scope.ts'
import { feedInput } from './shapes/common.ts'
import {
  bindInput,
  listed,
  listInput,
  peer,
  registered,
  registerInput,
  summaryInput,
  type PeersEvent,
} from './shapes/peers.ts'
import { findCaller, peerProcedure, procedure, router } from './trpc.ts'
import { toPeer } from './views.ts'

export const peersRouter = router({
  /** Takes a seat: by process, by session id, as successor in the same repository, or a new one. */
  register: procedure
    .input(registerInput)
    .output(registered)
    .mutation(async ({ ctx, input }) => {
      const { database, hub } = ctx
      const { process, directory, ...rest } = input
      const caller = findCaller(ctx)
      const result = await database.queue.run(() => {
        const registered = database.register(
          { ...rest, cwd: directory, pid: process?.pid, pidStart: process?.start },
          { isHeld: (row) => isHeld(hub, row), keyFor: caller?.id },
        )
        // The link of a session opens some milliseconds later: nobody should see it offline until then.
        if (process) database.peers.setOnline(registered.peer.id, true)
        return { ...registered, peer: database.peers.get(registered.peer.id)! }
      })
      if (process) hub.presence.arrived(result.peer.id)
      const key = result.secret ? `${result.peer.id}.${result.secret}` : ctx.key!
      return { peer: toPeer(result.peer), key, origin: result.origin }
    }),

  list: procedure
    .input(listInput)
    .output(listed)
    .query(({ ctx, input }) => {
      const self = findCaller(ctx)
      const rows = ctx.database.peers.list(ctx.database.now() - LISTED_MS)
      const peers = rows.filter(isWithin(input?.scope ?? 'network', self)).map(toPeer)
      return { self: self ? toPeer(self) : null, peers }
    }),

  setSummary: peerProcedure
    .input(summaryInput)
    .output(peer)
    .mutation(({ ctx, input }) =>
      ctx.database.queue.run(() => {
        ctx.database.peers.setSummary(ctx.self.id, input.summary)
        return toPeer(ctx.database.peers.get(ctx.self.id)!)
      }),
    ),

  /** Says that the caller's session has another id now, as after `/clear`. */
  bindSession: peerProcedure
    .input(bindInput)
    .output(peer)
    .mutation(({ ctx, input }) =>
      ctx.database.queue.run(() => {
        ctx.database.peers.bindSession(ctx.self.id, input.sessionId)
        return toPeer(ctx.database.peers.get(ctx.self.id)!)
      }),
    ),

  /** Says goodbye: offline from the end of its link on, without a grace. The seat keeps its name and its mail. */
  leave: peerProcedure.output(peer).mutation(async ({ ctx }) => {
    await ctx.hub.presence.left(ctx.self.id)
    return toPeer(ctx.database.peers.get(ctx.self.id)!)
  }),

  /** Everybody's presence and description: a snapshot, then joins, changes and leaves. */
  watch: procedure
    .input(feedInput)
    .subscription(({ ctx, input, signal }) => watchPeers(ctx, input?.lastEventId, signal)),
})

async function* watchPeers(
  ctx: Context,
  lastEventId: string | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<TrackedEnvelope<PeersEvent>, void> {
  const { database } = ctx
  const resumed = toCursor(lastEventId, ctx)
  const start = resumed ?? database.lastSeq()
  /** Who was online when the caller last heard of them. */
  const heard = new Map<string, boolean>()
  if (resumed === undefined) {
    const rows = database.peers.list(database.now() - LISTED_MS)
    for (const row of rows) heard.set(row.id, row.online)
    yield event(start, { type: 'snapshot', peers: rows.map(toPeer) } as const)
  }
  const read = database.peers.changedSince
  for await (const rows of followChanges({ ctx, topic: PEERS_TOPIC, signal, cursor: start, read })) {
    for (const row of rows) {
      const before = heard.get(row.id) ?? (row.onlineSeq > start ? !row.online : row.online)
      heard.set(row.id, row.online)
      yield event(row.changedSeq, { type: toChange(row.online, before), peer: toPeer(row) } as const)
    }
  }
}

function toChange(online: boolean, before: boolean): 'joined' | 'changed' | 'left' {
  if (online === before) return 'changed'
  return online ? 'joined' : 'left'
}
