import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { getWSConnectionHandler } from '@trpc/server/adapters/ws'
import { WebSocketServer, type WebSocket } from 'ws'
import type { Context } from '#router/context'
import { appRouter } from '#router/router'
import { MAX_BODY_BYTES } from './body.ts'
import { MAX_BATCH } from './http.ts'
import { createKeepAlive, TICK_MS, type KeepAliveOptions } from './keep-alive.ts'

/** A subscriber whose socket holds more unsent bytes than this is told nothing more until it has read. */
const MAX_BUFFERED_BYTES = 512 * 1_024
const DRAIN_POLL_MS = 50
/** How long a client has to answer the closing handshake at shutdown. */
const CLOSE_WAIT_MS = 1_000
/** RFC 6455: the service restarts; a client reconnects. */
const SERVICE_RESTART = { code: 1012, reason: 'the hub restarts' }
/** RFC 6455: what the client does is against the rules here. */
const REVOKED = { code: 1008, reason: 'the token of this machine was revoked' }

export type Sockets = {
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, context: Context): void
  count(): number
  /** How many the token of a machine has open. */
  countOf(tokenId: string): number
  /** Ends all that the token of a machine has open: nothing more is sent to them. Says how many. */
  disconnect(tokenId: string): number
  /** Asks every client to come back later, and ends those who do not answer within a second. */
  close(): Promise<void>
}

/** Serves the router's subscriptions (and calls) to WebSockets that the guard let in. */
export function createSockets(options: {
  onError: (error: Error, path: string) => void
  /** A connection broke, or its client breaks the protocol. */
  onTrouble: (cause: Error) => void
  keepAlive?: KeepAliveOptions | undefined
}): Sockets {
  const server = new WebSocketServer({ noServer: true, maxPayload: MAX_BODY_BYTES, perMessageDeflate: false })
  const contexts = new WeakMap<IncomingMessage, Context>()
  const keepAlive = createKeepAlive(options.keepAlive)
  const timer = setInterval(keepAlive.tick, TICK_MS).unref()
  const byToken = new Map<string, Set<WebSocket>>()
  const handle = getWSConnectionHandler({
    wss: server,
    router: appRouter,
    maxBatchSize: MAX_BATCH,
    createContext({ req, res }) {
      const context = contexts.get(req)!
      // Without a limit of calls, those that wait for their turn would have none either.
      const turn = context.mayCall && createTurns(res)
      return { ...context, drained: () => drained(res), feeds: { open: 0 }, ...(turn && { turn }) }
    },
    onError: ({ error, path }) =>
      path === undefined ? options.onTrouble(error) : options.onError(error, path),
  })

  return {
    accept(request, socket, head, context) {
      contexts.set(request, context)
      server.handleUpgrade(request, socket, head, (client) => {
        if (context.caller.kind === 'machine') keep(byToken, context.caller.tokenId, client)
        keepAlive.watch(client)
        holdBack(client)
        handle(client, request)
      })
    },
    count: () => server.clients.size,
    countOf: (tokenId) => byToken.get(tokenId)?.size ?? 0,
    disconnect(tokenId) {
      const clients = [...(byToken.get(tokenId) ?? [])]
      for (const client of clients) void closeClient(client, REVOKED)
      return clients.length
    },
    async close() {
      const closed = [...server.clients].map((client) => closeClient(client, SERVICE_RESTART))
      await Promise.all(closed)
      clearInterval(timer)
      server.close()
    },
  }
}

function keep(byToken: Map<string, Set<WebSocket>>, tokenId: string, client: WebSocket) {
  const clients = byToken.get(tokenId) ?? new Set()
  byToken.set(tokenId, clients.add(client))
  client.once('close', () => {
    clients.delete(client)
    if (clients.size === 0) byToken.delete(tokenId)
  })
}

function closeClient(client: WebSocket, { code, reason }: { code: number; reason: string }): Promise<void> {
  return new Promise((resolve) => {
    const impatience = setTimeout(() => client.terminate(), CLOSE_WAIT_MS)
    client.once('close', () => {
      clearTimeout(impatience)
      resolve()
    })
    client.close(code, reason)
  })
}

/** Queries of one frame begin together, and their answers may be large: each waits until the one before was sent. */
function createTurns(client: WebSocket): () => Promise<void> {
  let last = Promise.resolve()
  const wait = async () => {
    await new Promise((resolve) => setImmediate(resolve))
    await drained(client)
  }
  return () => (last = last.then(wait))
}

/**
 * Reads nothing more of a client that does not read what it is answered: the answers to what it sends meanwhile would fill
 * the memory. One that stays so is taken for cut off.
 */
function holdBack(client: WebSocket) {
  const check = () => {
    if (client.isPaused || client.bufferedAmount <= MAX_BUFFERED_BYTES) return
    client.pause()
    void drained(client).then(() => client.resume())
  }
  client.on('message', check)
  client.on('ping', check)
}

/** ws has no event for this: it keeps what the kernel does not take, and tells only how much. */
async function drained(client: WebSocket): Promise<void> {
  while (client.readyState === client.OPEN && client.bufferedAmount > MAX_BUFFERED_BYTES) {
    await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS))
  }
}
