import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Database } from '#db/open'
import { answerChallenge } from '#machine/proof'
import type { Context, Hub } from '#router/context'
import { appRouter } from '#router/router'
import { KEY_HEADER, MOUNT, VERSION_HEADER } from '#router/wire'
import { refuseUpgrade, sendError, sendJson } from './answer.ts'
import { createBuckets } from './bucket.ts'
import { limitConnections } from './connections.ts'
import { createGuard, type Entry, type GuardOptions, type Verdict } from './guard.ts'
import { serveCall } from './http.ts'
import type { KeepAliveOptions } from './keep-alive.ts'
import type { Log } from './log.ts'
import { METRICS_PATH, type Metrics } from './metrics.ts'
import type { Origin } from './origin.ts'
import { createRefusals } from './refusals.ts'
import { createSockets, type Sockets } from './sockets.ts'
import { readTarget } from './target.ts'
import { createThrottle } from './throttle.ts'
import { toPrice } from './toll.ts'

export type Served = { database: Database; hub: Hub }
export type RouteOptions = Pick<GuardOptions, 'localToken' | 'sharedToken' | 'isKnownHost'> & {
  version: string
  /** What the hub says of itself to clients of its machine, signed. */
  identity: string
  log: Log
  metrics: Metrics
  /** Milliseconds; injected in tests. */
  now?: (() => number) | undefined
  keepAlive?: KeepAliveOptions | undefined
}

export type Routes = {
  connect(this: void, socket: Socket): void
  call(this: void, request: IncomingMessage, response: ServerResponse): void
  upgrade(this: void, request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** From now on calls are answered; before it, and after `close`, with 503. */
  serve(served: Served): void
  sockets: Sockets
  close(): Promise<void>
}

type Admitted = Entry & { origin: Origin }

const SOCKET_PATH = MOUNT.slice(0, -1)
const NOT_NOW = { status: 503, reason: 'The hub is starting or stopping: try again in a moment.' }
const NO_TARGET = { status: 400, reason: 'This is no path, and no URL of this hub.' }

/** What is answered where. The guard stands in front of everything. */
export function createRoutes({
  version,
  identity,
  log,
  metrics,
  now,
  keepAlive,
  ...options
}: RouteOptions): Routes {
  let served: Served | undefined
  const clock = now && { now }
  const buckets = createBuckets(clock)
  const refusals = createRefusals({ log, ...clock })
  const check = createGuard({
    ...options,
    tokens: () => served?.database.machineTokens,
    throttle: createThrottle(clock),
  })
  const sockets = createSockets({
    onError,
    onTrouble: (source, cause) => refusals.note(source, 400, cause.message),
    keepAlive,
  })

  function onError(source: string, error: Error & { code?: string }, path: string) {
    // A refusal is the caller's to read; only what should not happen belongs into the log.
    if (error.code === 'INTERNAL_SERVER_ERROR') refusals.fail(source, 'call failed', { err: error, path })
  }

  /** What the guard says, and the limit of requests behind it; `cost` is their number. */
  function enter(request: IncomingMessage, { open, cost }: { open: boolean; cost: number }): Verdict {
    const verdict = check(request, { open })
    const wait = verdict.allowed ? (spend(verdict)?.(cost) ?? 0) : 0
    const decided = wait > 0 ? { ...toTooMany(wait), origin: verdict.origin } : verdict
    if (!decided.allowed) {
      refusals.note(decided.origin.source, decided.status, decided.reason)
      metrics.refused(decided.status)
    } else if (decided.token) noteUse(decided.token)
    return decided
  }

  /** Takes requests from the bucket of the caller; nobody counts those of this machine. */
  function spend(entry: Admitted): ((cost: number) => number) | undefined {
    const name = bucketOf(entry)
    return name === undefined ? undefined : (cost) => buckets.take(name, cost)
  }

  function bucketOf({ caller, origin }: Admitted): string | undefined {
    if (origin.fromHere) return undefined
    return caller.kind === 'machine' ? caller.tokenId : origin.source
  }

  function noteUse(token: NonNullable<Entry['token']>) {
    const database = served?.database
    if (!database?.machineTokens.isDue(token)) return
    database.queue
      .run(() => database.machineTokens.touch(token.id))
      .catch((cause: unknown) => refusals.fail('hub', 'background work failed', { err: cause }))
  }

  function toContext({ headers }: IncomingMessage, { database, hub }: Served, entry: Admitted): Context {
    const key = headers[KEY_HEADER]
    const name = bucketOf(entry)
    const charge = name === undefined ? undefined : (calls: number) => buckets.charge(name, calls)
    return { database, hub, key: typeof key === 'string' ? key : undefined, caller: entry.caller, charge }
  }

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const target = readTarget(request)
    const { pathname, path } = target ?? {}
    const cost = (target?.cost ?? 1) - 1 + toPrice(Number(request.headers['content-length']) || 0)
    metrics.watch(response, pathname)
    const isHealth = pathname === '/health'
    const verdict = enter(request, { open: isHealth || path === 'hub.health', cost })
    if (verdict.allowed || verdict.origin.fromHere) response.setHeader(VERSION_HEADER, version)
    if (!verdict.allowed) return sendError(response, { ...verdict, path })
    if (!target) return sendError(response, NO_TARGET)
    if (!served) {
      response.setHeader('connection', 'close')
      return sendError(response, { ...NOT_NOW, path })
    }
    if (isHealth) {
      const signed = { token: options.localToken, port: request.socket.localPort ?? 0, identity }
      // Whoever could ask from elsewhere could pass the answer off as its own.
      const challenge = verdict.origin.fromHere ? target.query.get('challenge') : null
      const proof = answerChallenge(challenge, signed)
      return sendJson(response, 200, { status: 'ok', name: 'claude-peers', version, ...proof })
    }
    if (pathname === METRICS_PATH) return void metrics.answer(response, verdict.caller)
    if (path === undefined) {
      const reason = `This hub speaks tRPC below ${MOUNT}; GET /health tells how it is, and ${METRICS_PATH} in figures.`
      return sendError(response, { status: 404, reason })
    }
    serveCall(request, response, {
      path: target.procedures,
      query: target.query,
      router: appRouter,
      context: toContext(request, served, verdict),
      onError: (error, called) => onError(verdict.origin.source, error, called),
    }).catch((cause: unknown) => {
      refusals.fail(verdict.origin.source, 'a call was not answered', { err: cause })
      response.destroy()
    })
  }

  function accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const verdict = enter(request, { open: false, cost: 1 })
    if (!verdict.allowed) return refuseUpgrade(socket, verdict)
    const target = readTarget(request)
    if (!target) return refuseUpgrade(socket, NO_TARGET)
    if (target.pathname !== SOCKET_PATH)
      return refuseUpgrade(socket, { status: 404, reason: `The WebSocket is at ${SOCKET_PATH}.` })
    if (!served) return refuseUpgrade(socket, NOT_NOW)
    const { source } = verdict.origin
    const context = toContext(request, served, verdict)
    sockets.accept(request, socket, head, { context, source, take: spend(verdict) })
  }

  return {
    connect: limitConnections(refusals),
    call(request, response) {
      try {
        answer(request, response)
      } catch (cause) {
        // The database cannot be read: whose token it is cannot be told.
        refusals.fail('hub', 'a request was not checked', { err: cause })
        sendError(response, { ...NOT_NOW, told: false })
      }
    },
    upgrade(request, socket, head) {
      socket.on('error', (cause) => log.debug({ err: cause }, 'a WebSocket failed'))
      try {
        accept(request, socket, head)
      } catch (cause) {
        refusals.fail('hub', 'a request was not checked', { err: cause })
        refuseUpgrade(socket, { ...NOT_NOW, told: false })
      }
    },
    serve: (given) => void (served = given),
    sockets,
    close() {
      served = undefined
      refusals.close()
      return sockets.close()
    },
  }
}

const toTooMany = (retryAfter: number) => ({
  allowed: false as const,
  status: 429,
  reason: 'Too many requests: this machine may make 200 a second.',
  told: true,
  retryAfter,
})
