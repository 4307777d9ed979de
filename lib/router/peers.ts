import { TRPCError } from '@trpc/server'
import { enterAs, mayActFor } from './authority.ts'
import { isHeld, type Context } from './context.ts'
import { findNearest } from './nearest.ts'
import { watchPeers } from './peers-feed.ts'
import { findListed, toPage, toSeen } from './roster.ts'
import { LISTED_MS } from './scope.ts'
import { feedInput } from './shapes/common.ts'
import {
  activityInput,
  bindInput,
  formerRoots,
  formerRootsInput,
  leaveInput,
  listed,
  listInput,
  nearest,
  nearestInput,
  peer,
  registered,
  registerInput,
  summaryInput,
} from './shapes/peers.ts'
import { findCaller, guestProcedure, peerProcedure, procedure, router } from './trpc.ts'
import { chargeRows, takeTurn } from './turn.ts'
import { toPeer } from './views.ts'

export const peersRouter = router({
  /** Takes a seat: by process, by session id, as successor in the same repository, or a new one. */
  register: guestProcedure
    .input(registerInput)
    .output(registered)
    .mutation(async ({ ctx, input }) => {
      const { database, hub } = ctx
      const { process, directory, ...rest } = input
      const caller = findCaller(ctx)
      const result = await database.queue.run(() => {
        enterAs(ctx, rest.machine)
        const registered = database.register(
          {
            ...rest,
            cwd: directory,
            pid: process?.pid,
            pidStart: process?.start,
            pidNamespace: process?.namespace,
          },
          { isHeld: (row) => isHeld(hub, row), keyFor: caller?.id },
        )
        if (registered.origin === 'new' && ctx.caller.kind !== 'local') checkSeats(ctx, rest.machine.id)
        const { id } = registered.peer
        if (process) {
          // The link of a session opens some milliseconds later: nobody should see it offline until then.
          database.peers.setOnline(id, true)
          // With the ring: who is told of the session is told before this goes on, and not of what the one before did.
          database.bell.noteWork(() => hub.presence.arrived(id))
        }
        return { ...registered, peer: database.peers.get(id)! }
      })
      const key = result.secret ? `${result.peer.id}.${result.secret}` : ctx.key!
      return { peer: toPeer(result.peer, hub), key, origin: result.origin }
    }),

  /** Where sessions of the same project worked on that machine: whoever can look says which of these roots are gone. */
  formerRoots: procedure
    .input(formerRootsInput)
    .output(formerRoots)
    .query(({ ctx, input }) => {
      const mayAsk = mayActFor(ctx, ctx.caller, input.machine.id)
      return { roots: mayAsk ? ctx.database.formerRoots(input) : [] }
    }),

  /** Everybody of a scope, a page at a time. */
  list: procedure
    .input(listInput)
    .output(listed)
    .query(async ({ ctx, input }) => {
      await takeTurn(ctx)
      const self = findCaller(ctx)
      const { cursor, limit, ...wanted } = input
      const page = toPage(ctx, findListed(ctx, self, wanted), { cursor, limit })
      chargeRows(ctx, page.peers.length)
      return { self: self ? toSeen(ctx, self) : null, ...page }
    }),

  /** The peers that matter most to the caller, and how many there are. */
  nearest: procedure
    .input(nearestInput)
    .output(nearest)
    .query(async ({ ctx, input }) => {
      await takeTurn(ctx)
      const self = findCaller(ctx)
      const found = findNearest(ctx, self, input)
      chargeRows(ctx, found.peers.length)
      return { self: self ? toSeen(ctx, self) : null, ...found }
    }),

  setSummary: peerProcedure
    .input(summaryInput)
    .output(peer)
    .mutation(({ ctx, input }) =>
      ctx.database.queue.run(() => {
        ctx.database.peers.setSummary(ctx.self.id, input.summary)
        return toPeer(ctx.database.peers.get(ctx.self.id)!, ctx.hub)
      }),
    ),

  /** Says that the caller's session has another id now, as after `/clear`. */
  bindSession: peerProcedure
    .input(bindInput)
    .output(peer)
    .mutation(({ ctx, input }) =>
      ctx.database.queue.run(() => {
        ctx.database.peers.bindSession(ctx.self.id, input.sessionId)
        return toPeer(ctx.database.peers.get(ctx.self.id)!, ctx.hub)
      }),
    ),

  /**
   * Says what the caller's session does. A hub remembers it while the session is online and as long as it runs itself:
   * it is told again after each registration and each time the link opens.
   */
  setActivity: peerProcedure
    .input(activityInput)
    .output(peer)
    .mutation(({ ctx, input }) => {
      ctx.hub.presence.setActivity(ctx.self.id, input)
      return toPeer(ctx.database.peers.get(ctx.self.id)!, ctx.hub)
    }),

  /**
   * Says goodbye: offline at once, without a grace, unless another link of it is open. The seat keeps its name and its
   * mail; with `unused`, it is as it was before the caller registered.
   */
  leave: peerProcedure
    .input(leaveInput)
    .output(peer)
    .mutation(async ({ ctx, input }) => {
      const { database, hub, self } = ctx
      await hub.presence.left(self.id)
      const row = database.peers.get(self.id)!
      if (input?.unused && !row.online) await database.queue.run(() => database.withdraw(self.id))
      return toPeer(row, hub)
    }),

  /**
   * Gives the caller's own seat up for good: it is in no list any more. Only for a session that left, never sent mail and
   * got none but from the person at its own machine, such as a probe; a seat that others could miss stays as it is.
   */
  remove: peerProcedure.output(peer).mutation(async ({ ctx }) => {
    const row = ctx.database.peers.get(ctx.self.id)!
    const removed = await ctx.database.queue.run(() => ctx.database.removeSeat(ctx.self.id))
    if (removed) return toPeer(row, ctx.hub)
    throw new TRPCError({
      code: 'PRECONDITION_FAILED',
      message:
        'This seat stays: it is still connected, has mail waiting, or exchanged mail with others. Leave it: a seat that nobody uses is not listed after 48 hours.',
    })
  }),

  /** Everybody's presence and description: a snapshot, then joins, changes and leaves. */
  watch: procedure
    .input(feedInput)
    .subscription(({ ctx, input, signal }) => watchPeers(ctx, input?.lastEventId, signal)),
})

/** Each listed seat is told to everybody who looks. One machine has as many only by a mistake, or in bad faith. */
const MOST_SEATS = 2_000

/** Throws TOO_MANY_REQUESTS, which takes the new seat back. */
function checkSeats({ database }: Context, machineId: string): void {
  if (database.machines.seatsSince(machineId, database.now() - LISTED_MS) <= MOST_SEATS) return
  throw new TRPCError({
    code: 'TOO_MANY_REQUESTS',
    message: `This machine has had sessions in ${MOST_SEATS} places in the last 48 hours, which is the most: use a directory of before, or wait.`,
  })
}
