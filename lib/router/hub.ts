import { TRPCError } from '@trpc/server'
import { health, PROTOCOL, stats, stopInput, stopping } from './shapes/hub.ts'
import { procedure, router } from './trpc.ts'

export const hubRouter = router({
  /** Says that the hub answers, and which version it is. */
  health: procedure.output(health).query(({ ctx }) => ({
    status: 'ok' as const,
    name: 'claude-peers' as const,
    version: ctx.hub.version,
    protocol: PROTOCOL,
  })),

  stats: procedure.output(stats).query(({ ctx }) => ({
    ...ctx.hub.stats(),
    version: ctx.hub.version,
    peers: ctx.database.peers.counts(),
    deliveries: ctx.database.messages.counts(),
  })),

  /** Stops the hub after this answer; its clients start it again when they need it. */
  stop: procedure
    .input(stopInput)
    .output(stopping)
    .mutation(({ ctx, input }) => {
      if (!ctx.local) {
        throw new TRPCError({
          code: 'FORBIDDEN',
          message: 'A hub is stopped on its own machine: run `claude-peers stop` there.',
        })
      }
      ctx.hub.stop(input?.reason ?? 'asked')
      return { pid: ctx.hub.stats().pid }
    }),
})
