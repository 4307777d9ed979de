import { TRPCError } from '@trpc/server'
import { health, PROTOCOL, stats, stopInput, stopping } from './shapes/hub.ts'
import { localProcedure, procedure, publicProcedure, router } from './trpc.ts'

const HANDS_OVER_TO_NOBODY = {
  code: 'PRECONDITION_FAILED',
  message:
    'This hub runs in the foreground, or as a service, and hands over to no other: update it and restart that service.',
} as const

const toAnother = (pid: number) => ({
  code: 'CONFLICT' as const,
  message: `Another hub serves here by now (pid ${pid}): look again.`,
})

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
      const reason = input?.reason ?? 'asked'
      const { pid, start, namespace } = ctx.hub.stats()
      const meant = input?.process
      if (meant && (meant.pid !== pid || meant.start !== start || meant.namespace !== namespace))
        throw new TRPCError(toAnother(pid))
      if (reason === 'handover' && ctx.hub.foreground) throw new TRPCError(HANDS_OVER_TO_NOBODY)
      ctx.hub.stop(reason)
      return { pid, start, namespace }
    }),
})
