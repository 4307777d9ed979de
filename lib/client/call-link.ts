import { Agent as HttpAgent } from 'node:http'
import { TRPCClientError, type TRPCLink } from '@trpc/client'
import { observable } from '@trpc/server/observable'
import type { AppRouter } from '#router/router'
import type { EndpointSource } from './endpoint.ts'
import { exchange } from './exchange.ts'

/** A terminating link for calls over HTTP/1.1 with kept connections. */
export function callLink(options: {
  endpoint: EndpointSource
  timeoutMs: number
}): TRPCLink<AppRouter> & { close(): void } {
  const agent = new HttpAgent({ keepAlive: true, maxSockets: 64 })
  const link: TRPCLink<AppRouter> =
    () =>
    ({ op }) =>
      observable((observer) => {
        const left = new AbortController()
        const signal = op.signal ? AbortSignal.any([op.signal, left.signal]) : left.signal
        exchange(op, { ...options, agent, signal }).then(
          (data) => {
            observer.next({ result: { type: 'data', data } })
            observer.complete()
          },
          (cause: unknown) => observer.error(TRPCClientError.from(cause as Error)),
        )
        return () => left.abort()
      })
  return Object.assign(link, { close: () => agent.destroy() })
}
