import { createTRPCClient, retryLink, splitLink, wsLink, type TRPCClient } from '@trpc/client'
import type { AppRouter } from '#router/router'
import { callLink } from './call-link.ts'
import type { Endpoint, EndpointSource } from './endpoint.ts'
import { openFeed } from './feed.ts'
import { toRetryDelay } from './retry-delay.ts'

export type ConnectOptions = {
  endpoint: Endpoint | EndpointSource
  /** How long one call may take, in ms; 5,000 by default. */
  timeoutMs?: number
  /** Told when the feed's connection opens and closes. */
  onFeed?: (state: 'open' | 'closed') => void
  /** The longest pause between two attempts to connect the feed, in ms; 5,000 by default. Asked before each. */
  longestRetryMs?: () => number
}

/** A typed client of a hub. `hub` has every procedure of the contract; `close` ends its connections. */
export type HubClient = { hub: TRPCClient<AppRouter>; close(): Promise<void> }

/**
 * Makes a client: calls go over HTTP, subscriptions over one WebSocket that is opened by the first of them,
 * reconnects for ever (with backoff and jitter) and resumes after the last event that arrived. Errors are
 * TRPCClientErrors whose message says what to do next.
 */
export function connect(options: ConnectOptions): HubClient {
  const { endpoint: given, timeoutMs = 5_000 } = options
  const endpoint = typeof given === 'function' ? given : () => given
  const retryDelayMs = (attempt: number) => toRetryDelay(attempt, options.longestRetryMs?.())
  const feed = openFeed({ endpoint, onFeed: options.onFeed, retryDelayMs })
  const calls = callLink({ endpoint, timeoutMs })
  const hub = createTRPCClient<AppRouter>({
    links: [
      splitLink({
        condition: (op) => op.type === 'subscription',
        true: [
          // An error ends a subscription for good unless something asks again.
          retryLink({ retry: ({ error }) => isPassing(error.data?.code), retryDelayMs }),
          feed.followLink,
          wsLink({ client: feed.socket }),
        ],
        false: calls,
      }),
    ],
  })
  return {
    hub,
    async close() {
      calls.close()
      await feed.close()
    },
  }
}

/** What another attempt cannot mend: the caller must do something first. */
const isPassing = (code: string | undefined) =>
  !['UNAUTHORIZED', 'FORBIDDEN', 'BAD_REQUEST', 'NOT_FOUND', 'METHOD_NOT_SUPPORTED'].includes(code ?? '')
