import { createTRPCClient, createWSClient, retryLink, splitLink, wsLink, type TRPCClient } from '@trpc/client'
import { WebSocket } from 'ws'
import { MOUNT } from '#router/wire'
import type { AppRouter } from '#router/router'
import { callLink } from './call-link.ts'
import { toHeaders, type Endpoint, type EndpointSource } from './endpoint.ts'

export type ConnectOptions = {
  endpoint: Endpoint | EndpointSource
  /** How long one call may take, in ms; 5,000 by default. */
  timeoutMs?: number
  /** Told when the feed's connection opens and closes. */
  onFeed?: (state: 'open' | 'closed') => void
}

/** A typed client of a hub. `hub` has every procedure of the contract; `close` ends its connections. */
export type HubClient = { hub: TRPCClient<AppRouter>; close(): Promise<void> }

const FIRST_RETRY_MS = 250
const LONGEST_RETRY_MS = 5_000

/**
 * Makes a client: calls go over HTTP, subscriptions over one WebSocket that is opened by the first of them,
 * reconnects for ever (with backoff and jitter) and resumes after the last event that arrived. Errors are
 * TRPCClientErrors whose message says what to do next.
 */
export function connect(options: ConnectOptions): HubClient {
  const { endpoint: given, onFeed, timeoutMs = 5_000 } = options
  const endpoint = typeof given === 'function' ? given : () => given
  let current: Endpoint | undefined

  const socket = createWSClient({
    url: async () => {
      current = await endpoint({ fresh: true })
      return `${current.url.replace(/^http/, 'ws')}${MOUNT.slice(0, -1)}`
    },
    // The subscription of a constructor is the only place where a WebSocket takes headers.
    WebSocket: class extends WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols ?? [], { headers: current ? toHeaders(current) : {}, perMessageDeflate: false })
        // ws reports a refused upgrade as an error as well; without a listener that would end the process.
        this.on('error', () => {})
      }
    } as unknown as typeof globalThis.WebSocket,
    lazy: { enabled: true, closeMs: 0 },
    keepAlive: { enabled: true, intervalMs: 15_000, pongTimeoutMs: 10_000 },
    retryDelayMs: toRetryDelay,
    onOpen: () => onFeed?.('open'),
    onClose: () => onFeed?.('closed'),
  })
  const calls = callLink({ endpoint, timeoutMs })
  const hub = createTRPCClient<AppRouter>({
    links: [
      splitLink({
        condition: (op) => op.type === 'subscription',
        true: [
          // An error ends a subscription for good unless something asks again.
          retryLink({ retry: ({ error }) => isPassing(error.data?.code), retryDelayMs: toRetryDelay }),
          wsLink({ client: socket }),
        ],
        false: calls,
      }),
    ],
  })
  return {
    hub,
    async close() {
      calls.close()
      await socket.close()
    },
  }
}

/** Full jitter, so that a fleet does not come back in step; the first attempt is at once. */
function toRetryDelay(attempt: number): number {
  if (attempt === 0) return 0
  return Math.random() * Math.min(FIRST_RETRY_MS * 2 ** attempt, LONGEST_RETRY_MS)
}

/** What another attempt cannot mend: the caller must do something first. */
const isPassing = (code: string | undefined) =>
  !['UNAUTHORIZED', 'FORBIDDEN', 'BAD_REQUEST', 'NOT_FOUND', 'METHOD_NOT_SUPPORTED'].includes(code ?? '')
