import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Database } from '#db/open'
import { KEY_HEADER, MOUNT } from '#router/wire'
import type { Context, Hub } from '#router/context'
import { appRouter } from '#router/router'
import { createGuard, type Caller } from './guard.ts'
import { sendJson, serveCall } from './http.ts'
import type { Log } from './log.ts'
import { createSockets, type Sockets } from './sockets.ts'

/** The hub answers 503 until it is given what it serves: it listens before it migrates. */
export type HubServer = {
  url: string
  serve(served: { database: Database; hub: Hub; localToken: string }): void
  sockets: () => number
  /** Stops accepting, lets calls under way finish, and asks the WebSockets to come back later. */
  close(): Promise<void>
}

export type ListenOptions = {
  bind: string
  port: number
  sharedToken: string | undefined
  /** Names besides the address by which clients call this hub. */
  hosts: string[]
  log: Log
}

/** How long calls under way may take at shutdown. */
const CLOSE_WAIT_MS = 1_000
/** A client that takes longer over its headers, or its whole request, is cut off. */
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000

/** Listens on the one port. Rejects with what the system says, such as EADDRINUSE. */
export async function listen(options: ListenOptions): Promise<HubServer> {
  const { log } = options
  let handlers: Handlers | undefined
  let closing = false
  const server = createServer(
    { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS, maxHeaderSize: 16_384 },
    (request, response) => {
      if (closing) response.setHeader('connection', 'close')
      if (handlers && !closing) return handlers.call(request, response)
      sendJson(response, 503, { error: 'The hub is starting or stopping: try again in a moment.' })
    },
  )
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', (cause) => log.debug({ err: cause }, 'socket failed'))
    if (handlers && !closing) handlers.upgrade(request, socket, head)
    else refuseUpgrade(socket, 503, 'The hub is starting or stopping: try again in a moment.')
  })
  const { port } = await bound(server, options)
  const url = `http://${options.bind.includes(':') ? `[${options.bind}]` : options.bind}:${port}`
  return {
    url,
    sockets: () => handlers?.sockets.count() ?? 0,
    serve(served) {
      handlers = createHandlers(served, options)
    },
    async close() {
      closing = true
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      const impatience = setTimeout(() => server.closeAllConnections(), CLOSE_WAIT_MS)
      await handlers?.sockets.close()
      await closed
      clearTimeout(impatience)
    },
  }
}

type Handlers = {
  call: (request: IncomingMessage, response: import('node:http').ServerResponse) => void
  upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
  sockets: Sockets
}

function createHandlers(
  { database, hub, localToken }: { database: Database; hub: Hub; localToken: string },
  { bind, sharedToken, hosts, log }: ListenOptions,
): Handlers {
  const check = createGuard({ localToken, sharedToken, hosts: [bind, ...hosts] })
  const onError = (error: Error & { code?: string }, path: string | undefined) => {
    // A refusal is the caller's to read; only what should not happen belongs into the log.
    if (error.code === undefined || error.code === 'INTERNAL_SERVER_ERROR')
      log.error({ err: error, path }, 'call failed')
  }
  const callers = new WeakMap<IncomingMessage, Caller>()
  const toContext = (request: IncomingMessage): Context => ({
    database,
    hub,
    key: toText(request.headers[KEY_HEADER]),
    local: callers.get(request) === 'local',
  })
  const sockets = createSockets({ toContext, onError })

  return {
    sockets,
    call(request, response) {
      const url = new URL(request.url ?? '/', 'http://hub')
      const path = url.pathname.startsWith(MOUNT) ? url.pathname.slice(MOUNT.length) : undefined
      const isHealth = url.pathname === '/health' || path === 'hub.health'
      const verdict = check(request, { open: isHealth })
      if (!verdict.allowed) {
        log.warn({ status: verdict.status, from: request.socket.remoteAddress }, verdict.reason)
        sendJson(response, verdict.status, toRefusal(verdict.status, verdict.reason, path))
        return
      }
      callers.set(request, verdict.caller)
      if (url.pathname === '/health') {
        sendJson(response, 200, { status: 'ok', name: 'claude-peers', version: hub.version })
        return
      }
      if (path === undefined) {
        sendJson(response, 404, {
          error: `This hub speaks tRPC below ${MOUNT}; GET /health tells how it is.`,
        })
        return
      }
      const context = toContext(request)
      void serveCall(request, response, {
        router: appRouter,
        path: decodePath(path),
        query: url.searchParams,
        context,
        onError,
      })
    },
    upgrade(request, socket, head) {
      const verdict = check(request, { open: false })
      if (!verdict.allowed) {
        log.warn({ status: verdict.status, from: request.socket.remoteAddress }, verdict.reason)
        return refuseUpgrade(socket, verdict.status, verdict.reason)
      }
      if (new URL(request.url ?? '/', 'http://hub').pathname !== MOUNT.slice(0, -1)) {
        return refuseUpgrade(socket, 404, `The WebSocket is at ${MOUNT.slice(0, -1)}.`)
      }
      callers.set(request, verdict.caller)
      sockets.accept(request, socket, head)
    },
  }
}

function bound(server: Server, { port, bind }: ListenOptions): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host: bind }, () => {
      server.off('error', reject)
      resolve(server.address() as AddressInfo)
    })
  })
}

/** The shape of a tRPC error, so that a typed client shows the reason. */
function toRefusal(status: number, reason: string, path: string | undefined) {
  const code = status === 401 ? 'UNAUTHORIZED' : 'FORBIDDEN'
  return {
    error: {
      message: reason,
      code: status === 401 ? -32_001 : -32_003,
      data: { code, httpStatus: status, path },
    },
  }
}

function refuseUpgrade(socket: Duplex, status: number, reason: string) {
  const head = [
    `HTTP/1.1 ${status} Refused`,
    'content-type: text/plain',
    `content-length: ${Buffer.byteLength(reason)}`,
  ]
  socket.end(`${head.join('\r\n')}\r\nconnection: close\r\n\r\n${reason}`)
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

const toText = (header: string | string[] | undefined) => (typeof header === 'string' ? header : undefined)
