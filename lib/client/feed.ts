/**
 * The WebSocket of a client's subscriptions. tRPC's client keeps it open and resumes; this gives it the headers that a
 * WebSocket of a browser lacks, has it look for the hub before each attempt, and ends it without waiting for anybody.
 */
import { createWSClient, type TRPCLink, type TRPCWebSocketClient } from '@trpc/client'
import { observable, type Unsubscribable } from '@trpc/server/observable'
import { WebSocket } from 'ws'
import type { AppRouter } from '#router/router'
import { MOUNT } from '#router/wire'
import { toHeaders, type Endpoint, type EndpointSource } from './endpoint.ts'
import { STRICT } from './request.ts'

export type Feed = {
  socket: TRPCWebSocketClient
  /** Stands before `wsLink`: a connection speaks for the key that it was opened with, so another key needs another. */
  renewLink: TRPCLink<AppRouter>
  close(): Promise<void>
}

const HANDSHAKE_TIMEOUT_MS = 10_000
/** A connection that has gone silent is noticed after both, and then has a moment to close: in 20 s at most. */
const KEEP_ALIVE = { intervalMs: 10_000, pongTimeoutMs: 7_500 }
const CLOSE_WAIT_MS = 1_000

/** Makes the feed; nothing is connected before the first subscription. */
export function openFeed(options: {
  endpoint: EndpointSource
  onFeed: ((state: 'open' | 'closed') => void) | undefined
  retryDelayMs: (attempt: number) => number
}): Feed {
  const { endpoint, onFeed, retryDelayMs } = options
  let current: Endpoint | undefined
  let connecting: WebSocket | undefined
  let closed = false
  let giveUp: (cause: Error) => void = () => undefined

  /** The look for the hub may take long, or for ever; the end of the client does not wait for it. */
  async function locate(): Promise<Endpoint> {
    const { promise, resolve, reject } = Promise.withResolvers<Endpoint>()
    giveUp = reject
    if (closed) reject(new Error('the client was closed'))
    else Promise.resolve(endpoint({ fresh: true })).then(resolve, reject)
    return promise
  }

  // An attempt that fails closes a connection that never opened.
  let told: 'open' | 'closed' = 'closed'
  function tell(state: 'open' | 'closed') {
    if (state !== told) onFeed?.(state)
    told = state
  }

  function watch(opened: WebSocket) {
    connecting = opened
    // A refused upgrade is an error as well; without a listener that would end the process.
    opened.on('error', () => undefined)
  }

  const socket = createWSClient({
    url: async () => {
      current = await locate()
      return `${current.url.replace(/^http/, 'ws')}${MOUNT.slice(0, -1)}`
    },
    WebSocket: class extends WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols ?? [], {
          headers: current ? toHeaders(current) : {},
          ...STRICT,
          perMessageDeflate: false,
          handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
        })
        watch(this)
      }

      /** Left to itself, a handshake that nobody answers takes 30 s. */
      override close(code?: number, reason?: string) {
        super.close(code, reason)
        const impatience = setTimeout(() => this.terminate(), CLOSE_WAIT_MS).unref()
        this.once('close', () => clearTimeout(impatience))
      }
    } as unknown as typeof globalThis.WebSocket,
    lazy: { enabled: true, closeMs: 0 },
    keepAlive: { enabled: true, ...KEEP_ALIVE },
    retryDelayMs,
    onOpen: () => tell('open'),
    onClose: () => tell('closed'),
  })

  async function renew(): Promise<void> {
    const before = current
    if (!before) return
    const { key, token } = await endpoint({ fresh: false })
    if (before === current && (key !== before.key || token !== before.token)) socket.connection?.ws.close()
  }

  return {
    socket,
    renewLink:
      () =>
      ({ op, next }) =>
        observable((observer) => {
          let subscription: Unsubscribable | undefined
          let left = false
          const start = async () => {
            // Where the hub is not to be found, the connection's own attempts say so.
            await renew().catch(() => undefined)
            if (!left) subscription = next(op).subscribe(observer)
          }
          void start()
          return () => {
            left = true
            subscription?.unsubscribe()
          }
        }),
    async close() {
      closed = true
      giveUp(new Error('the client was closed'))
      if (connecting?.readyState === WebSocket.CONNECTING) connecting.terminate()
      await socket.close()
    },
  }
}
