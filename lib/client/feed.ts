/**
 * The WebSocket of a client's subscriptions. tRPC's client keeps it open and resumes; this gives it the headers that a
 * WebSocket of a browser lacks, has it look for the hub before each attempt, and closes it with its last follower.
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
  /**
   * Stands before `wsLink`. It counts the followers: the connection is closed with the last of them. And it opens another
   * connection for another key, because a connection speaks for the key that it was opened with.
   */
  followLink: TRPCLink<AppRouter>
  close(): Promise<void>
}

const HANDSHAKE_TIMEOUT_MS = 10_000
/**
 * A connection that has gone silent is noticed after both, and then has a moment to close: in 20 s at most. At rest these
 * pings are all that a client does; they also spare the hub its own.
 */
const KEEP_ALIVE = { intervalMs: 10_000, pongTimeoutMs: 7_500 }
const CLOSE_WAIT_MS = 1_000
/**
 * tRPC's own close of an idle connection comes never (this is the longest timer that Node has): its timer starts again each
 * time it ends while somebody follows. With the 0 ms that would close at once, that were 900 wake-ups a second for as
 * long as the connection was open (seen).
 */
const NEVER_MS = 2 ** 31 - 1

/** Makes the feed; nothing is connected before the first subscription. */
export function openFeed(options: {
  endpoint: EndpointSource
  onFeed: ((state: 'open' | 'closed') => void) | undefined
  retryDelayMs: (attempt: number) => number
}): Feed {
  const { endpoint, onFeed, retryDelayMs } = options
  let current: Endpoint | undefined
  let newest: WebSocket | undefined
  let closed = false
  let giveUp: (cause: Error) => void = () => undefined
  let followers = 0
  let closing = Promise.resolve()

  /** The look for the hub may take long, or for ever; a close does not wait for it. */
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

  /** Tells of the newest connection alone: the one before may close after it opened. */
  function watch(opened: WebSocket) {
    newest = opened
    opened.on('open', () => opened === newest && tell('open'))
    opened.on('close', () => opened === newest && tell('closed'))
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
    lazy: { enabled: true, closeMs: NEVER_MS },
    keepAlive: { enabled: true, ...KEEP_ALIVE },
    retryDelayMs,
  })

  async function renew(): Promise<void> {
    const before = current
    if (!before) return
    const { key, token } = await endpoint({ fresh: false })
    if (before === current && (key !== before.key || token !== before.token)) socket.connection?.ws.close()
  }

  /** Ends the connection, or the attempt to have one; the next follower has another. */
  async function disconnect(reason: string): Promise<void> {
    giveUp(new Error(reason))
    if (newest?.readyState === WebSocket.CONNECTING) newest.terminate()
    await socket.close()
  }

  return {
    socket,
    followLink:
      () =>
      ({ op, next }) =>
        observable((observer) => {
          followers++
          let subscription: Unsubscribable | undefined
          let left = false
          const start = async () => {
            await closing
            // Where the hub is not to be found, the connection's own attempts say so.
            await renew().catch(() => undefined)
            if (!left) subscription = next(op).subscribe(observer)
          }
          void start()
          return () => {
            left = true
            subscription?.unsubscribe()
            followers--
            if (followers === 0 && !closed) closing = disconnect('nobody follows')
          }
        }),
    async close() {
      closed = true
      await disconnect('the client was closed')
    },
  }
}
