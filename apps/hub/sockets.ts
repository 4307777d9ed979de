import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import { MAX_BODY_BYTES } from './body.ts'
import { createConversation } from './conversation.ts'
import { createKeepAlive, TICK_MS, type KeepAliveOptions } from './keep-alive.ts'
import { drained, isFull, type Line } from './line.ts'
import { createToll } from './toll.ts'

/** How long a client has to answer the closing handshake at shutdown. */
const CLOSE_WAIT_MS = 1_000
/** RFC 6455: the service restarts; a client reconnects. */
const SERVICE_RESTART = { code: 1012, reason: 'the hub restarts' }
/** RFC 6455: what the client does is against the rules here. */
const AGAINST_RULES = { code: 1008 }
const REVOKED = { ...AGAINST_RULES, reason: 'the token of this machine was revoked' }

/** Who was let in, and how it pays for its calls; without `take` they are free. */
export type Guest = Pick<Line, 'context' | 'source'> & { take: ((cost: number) => number) | undefined }

export type Sockets = {
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, guest: Guest): void
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
  onError: (source: string, error: Error, path: string) => void
  /** A connection broke, or its client breaks the protocol. */
  onTrouble: (source: string, cause: Error) => void
  keepAlive?: KeepAliveOptions | undefined
}): Sockets {
  const server = new WebSocketServer({ noServer: true, maxPayload: MAX_BODY_BYTES, perMessageDeflate: false })
  const keepAlive = createKeepAlive(options.keepAlive)
  let timer: NodeJS.Timeout | undefined
  const byToken = new Map<string, Set<WebSocket>>()
  const conversation = createConversation({
    ...options,
    hangUp(line, reason) {
      options.onTrouble(line.source, new Error(`A WebSocket was hung up on: ${reason}.`))
      void closeClient(line.client, { ...AGAINST_RULES, reason })
    },
  })

  /** At rest it sleeps until the next link is due: a timer of 250 ms was most of what an idle hub did. */
  function arrange() {
    const ms = keepAlive.dueIn()
    timer =
      ms === undefined
        ? undefined
        : setTimeout(
            () => {
              keepAlive.tick()
              arrange()
            },
            Math.max(TICK_MS, ms),
          ).unref()
  }

  function begin(line: Line) {
    const { client, context } = line
    if (context.caller.kind === 'machine') keep(byToken, context.caller.tokenId, client)
    keepAlive.watch(client)
    // Those before it are due before it.
    if (!timer) arrange()
    client.on('message', (data: Buffer, isBinary) => {
      conversation.hear(line, data, isBinary)
      holdBack(line)
    })
    client.on('ping', (data: Buffer) => {
      conversation.hearPing(line, data)
      holdBack(line)
    })
    client.on('error', (cause) => options.onTrouble(line.source, cause))
    client.once('close', () => conversation.leave(line))
  }

  return {
    accept(request, socket, head, guest) {
      const awaitsParams = toQuery(request).get('connectionParams') === '1'
      server.handleUpgrade(request, socket, head, (client) => {
        begin(toLine({ client, socket, awaitsParams, ...guest }))
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
      clearTimeout(timer)
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

function toLine({ take, ...given }: Pick<Line, 'client' | 'socket' | 'awaitsParams'> & Guest): Line {
  const toll = createToll(take)
  const line: Line = { ...given, toll, followers: new Map(), draining: undefined }
  const { mayCall } = toll
  line.context = { ...given.context, mayCall, feeds: { open: 0 }, proof: { keyHash: undefined } }
  // Without a limit of calls, those that wait for their turn would have none either.
  if (mayCall) line.context.turn = createTurns(line)
  return line
}

const toQuery = ({ url = '' }: IncomingMessage) => new URLSearchParams(url.slice(url.indexOf('?') + 1))

/** Queries of one frame begin together, and their answers may be large: each waits until the one before was sent. */
function createTurns(line: Line): () => Promise<void> {
  let last = Promise.resolve()
  const wait = async () => {
    await new Promise((resolve) => setImmediate(resolve))
    if (isFull(line)) await drained(line)
  }
  return () => (last = last.then(wait))
}

/**
 * Reads nothing more of a client that does not read what it is answered: the answers to what it sends meanwhile would fill
 * the memory. One that stays so is taken for cut off.
 */
function holdBack(line: Line) {
  const { client } = line
  if (client.isPaused || !isFull(line)) return
  client.pause()
  void drained(line).then(() => client.resume())
}
