import { TRPCClientError, type TRPCLink } from '@trpc/client'
import { observable } from '@trpc/server/observable'
import type { AppRouter } from '#router/router'
import { createAgents } from './agents.ts'
import type { EndpointSource } from './endpoint.ts'
import { exchange } from './exchange.ts'

/** A terminating link for calls over HTTP/1.1 or HTTPS with kept connections. */
export function callLink(options: {
  endpoint: EndpointSource
  timeoutMs: number
}): TRPCLink<AppRouter> & { close(): void } {
  const agents = createAgents()
  const link: TRPCLink<AppRouter> =
    () =>
    ({ op }) =>
      observable((observer) => {
        const left = new AbortController()
        const signal = op.signal ? AbortSignal.any([op.signal, left.signal]) : left.signal
        exchange(op, { ...options, agents, signal }).then(
          (data) => {
            observer.next({ result: { type: 'data', data } })
            observer.complete()
          },
          (cause: unknown) => observer.error(TRPCClientError.from(cause as Error)),
        )
        return () => left.abort()
      })
  return Object.assign(link, { close: () => agents.close() })
}
