import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Database } from '#db/open'
import { answerChallenge } from '#machine/proof'
import { KEY_HEADER, MOUNT, VERSION_HEADER } from '#router/wire'
import type { Caller, Context, Hub } from '#router/context'
import { appRouter } from '#router/router'
import { refuseUpgrade, sendError, sendJson } from './answer.ts'
import { createGuard, type GuardOptions, type Verdict } from './guard.ts'
import { serveCall } from './http.ts'
import type { Log } from './log.ts'
import { createSockets, type Sockets } from './sockets.ts'

export type Served = { database: Database; hub: Hub }
export type RouteOptions = Omit<GuardOptions, 'findToken'> & { version: string; log: Log }

export type Routes = {
  call(this: void, request: IncomingMessage, response: ServerResponse): void
  upgrade(this: void, request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** From now on calls are answered; before it, and after `close`, with 503. */
  serve(served: Served): void
  sockets: Sockets
  close(): Promise<void>
}

const SOCKET_PATH = MOUNT.slice(0, -1)
const NOT_NOW = { status: 503, reason: 'The hub is starting or stopping: try again in a moment.' }
const NO_TARGET = { status: 400, reason: 'This is no URL.' }

/** What is answered where. The guard stands in front of everything. */
export function createRoutes({ version, log, ...options }: RouteOptions): Routes {
  let served: Served | undefined
  const findToken = (text: string) => served?.database.machineTokens.find(text)
  const check = createGuard({ ...options, findToken })
  const sockets = createSockets({
    onError,
    onTrouble: (cause) => log.warn({ err: cause }, 'a WebSocket failed'),
  })

  function onError(error: Error & { code?: string }, path: string | undefined) {
    // A refusal is the caller's to read; only what should not happen belongs into the log.
    if (error.code === 'INTERNAL_SERVER_ERROR') log.error({ err: error, path }, 'call failed')
  }

  function enter(request: IncomingMessage, open: boolean): Verdict {
    const verdict = check(request, { open })
    if (!verdict.allowed) {
      const { status, reason } = verdict
      log.warn({ status, from: request.socket.remoteAddress }, reason)
    }
    return verdict
  }

  function toContext({ headers }: IncomingMessage, { database, hub }: Served, caller: Caller): Context {
    const key = headers[KEY_HEADER]
    return { database, hub, key: typeof key === 'string' ? key : undefined, caller }
  }

  return {
    call(request, response) {
      response.setHeader(VERSION_HEADER, version)
      const url = toUrl(request)
      if (!url) return sendError(response, NO_TARGET)
      const path = url.pathname.startsWith(MOUNT) ? url.pathname.slice(MOUNT.length) : undefined
      const isHealth = url.pathname === '/health'
      const verdict = enter(request, isHealth || path === 'hub.health')
      if (!verdict.allowed) return sendError(response, { ...verdict, path })
      if (!served) {
        response.setHeader('connection', 'close')
        return sendError(response, { ...NOT_NOW, path })
      }
      if (isHealth) {
        const signer = { token: options.localToken, port: request.socket.localPort ?? 0 }
        const proof = answerChallenge(url.searchParams.get('challenge'), signer)
        return sendJson(response, 200, { status: 'ok', name: 'claude-peers', version, proof })
      }
      if (path === undefined) {
        const reason = `This hub speaks tRPC below ${MOUNT}; GET /health tells how it is.`
        return sendError(response, { status: 404, reason })
      }
      const call = { path: decodePath(path), query: url.searchParams, router: appRouter, onError }
      const context = toContext(request, served, verdict.caller)
      serveCall(request, response, { ...call, context }).catch((cause: unknown) => {
        log.error({ err: cause, path }, 'a call was not answered')
        response.destroy()
      })
    },
    upgrade(request, socket, head) {
      socket.on('error', (cause) => log.debug({ err: cause }, 'a WebSocket failed'))
      const verdict = enter(request, false)
      if (!verdict.allowed) return refuseUpgrade(socket, verdict)
      const url = toUrl(request)
      if (!url) return refuseUpgrade(socket, NO_TARGET)
      if (url.pathname !== SOCKET_PATH)
        return refuseUpgrade(socket, { status: 404, reason: `The WebSocket is at ${SOCKET_PATH}.` })
      if (!served) return refuseUpgrade(socket, NOT_NOW)
      sockets.accept(request, socket, head, toContext(request, served, verdict.caller))
    },
    serve: (given) => void (served = given),
    sockets,
    close() {
      served = undefined
      return sockets.close()
    },
  }
}

/** A path never fails to parse behind a host of ours; a whole URL in the request line may. */
function toUrl({ url = '/' }: IncomingMessage): URL | undefined {
  return URL.parse(url.startsWith('/') ? `http://hub${url}` : url) ?? undefined
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
