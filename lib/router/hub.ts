import { health, PROTOCOL, stats, stopInput, stopping } from './shapes/hub.ts'
import { localProcedure, procedure, publicProcedure, router } from './trpc.ts'

export const hubRouter = router({
  /** Says that the hub answers, and which version it is. */
  health: publicProcedure.output(health).query(({ ctx }) => ({
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
  stop: localProcedure('A hub is stopped on its own machine: run `claude-peers stop` there.')
    .input(stopInput)
    .output(stopping)
    .mutation(({ ctx, input }) => {
      ctx.hub.stop(input?.reason ?? 'asked')
      return { pid: ctx.hub.stats().pid }
    }),
})
