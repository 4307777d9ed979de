/**
 * tRPC's HTTP wire format from node:http. The stock node adapter turns each request into a fetch Request and back,
 * which costs 10 to 17 times a plain handler; this serves what `httpLink` and `httpBatchLink` send, through the same
 * `callTRPCProcedure`. Subscriptions go over the WebSocket.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  callTRPCProcedure,
  getTRPCErrorFromUnknown,
  getTRPCErrorShape,
  TRPCError,
  type AnyTRPCRouter,
} from '@trpc/server'
import { getHTTPStatusCodeFromError } from '@trpc/server/http'

/** Bodies larger than this are refused unread; the largest message, escaped, is a third of it. */
export const MAX_BODY_BYTES = 1_024 * 1_024
const MAX_BATCH = 50

export type CallOptions<Context> = {
  router: AnyTRPCRouter
  context: Context
  onError: (error: TRPCError, path: string) => void
}

type Answer = { status: number; body: unknown }

/** Answers one HTTP request whose path below the mount is `path`: one procedure, or several of a batch. */
export async function serveCall<Context>(
  request: IncomingMessage,
  response: ServerResponse,
  { path, query, ...options }: CallOptions<Context> & { path: string; query: URLSearchParams },
): Promise<void> {
  const answer = await answerCall(request, { path, query, ...options }).catch((cause: unknown) =>
    toFailure(cause, { path, input: undefined, ...options }),
  )
  sendJson(response, answer.status, answer.body)
}

/** Sends JSON, and closes the connection when the request's body was left unread. */
export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const payload = Buffer.from(JSON.stringify(body))
  const unread = !response.req.complete
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': payload.length,
    'cache-control': 'no-store',
    ...(unread && { connection: 'close' }),
  })
  response.end(payload)
}

async function answerCall<Context>(
  request: IncomingMessage,
  options: CallOptions<Context> & { path: string; query: URLSearchParams },
): Promise<Answer> {
  const isBatch = options.query.get('batch') === '1'
  const paths = isBatch ? options.path.split(',') : [options.path]
  if (paths.length > MAX_BATCH) {
    throw new TRPCError({ code: 'BAD_REQUEST', message: `A batch holds at most ${MAX_BATCH} calls.` })
  }
  const input = await readInput(request, options.query)
  if (!isBatch) return callOne(request, { ...options, path: paths[0]!, input, batchIndex: 0 })
  const inputs = isRecord(input) ? input : {}
  const answers = await Promise.all(
    paths.map((path, batchIndex) =>
      callOne(request, { ...options, path, input: inputs[String(batchIndex)], batchIndex }),
    ),
  )
  const statuses = new Set(answers.map((answer) => answer.status))
  return {
    status: statuses.size === 1 ? answers[0]!.status : 207,
    body: answers.map((answer) => answer.body),
  }
}

type OneCall<Context> = CallOptions<Context> & { path: string; input: unknown; batchIndex: number }

async function callOne<Context>(request: IncomingMessage, call: OneCall<Context>): Promise<Answer> {
  const aborted = new AbortController()
  request.once('close', () => aborted.abort())
  try {
    const type = toType(request, call.router, call.path)
    const data: unknown = await callTRPCProcedure({
      router: call.router,
      path: call.path,
      getRawInput: () => Promise.resolve(call.input),
      ctx: call.context,
      type,
      signal: aborted.signal,
      batchIndex: call.batchIndex,
    })
    return { status: 200, body: { result: { data } } }
  } catch (cause) {
    return toFailure(cause, call)
  }
}

function toFailure<Context>(cause: unknown, call: Omit<OneCall<Context>, 'batchIndex'>): Answer {
  const error = getTRPCErrorFromUnknown(cause)
  call.onError(error, call.path)
  const shape = getTRPCErrorShape({
    config: call.router._def._config,
    error,
    type: 'unknown',
    path: call.path,
    input: call.input,
    ctx: call.context,
  })
  return { status: getHTTPStatusCodeFromError(error), body: { error: shape } }
}

function toType(request: IncomingMessage, router: AnyTRPCRouter, path: string): 'query' | 'mutation' {
  const procedures = router._def.procedures as Record<string, { _def: { type: string } } | undefined>
  const type = Object.hasOwn(procedures, path) ? procedures[path]?._def.type : undefined
  if (type === undefined)
    throw new TRPCError({ code: 'NOT_FOUND', message: `There is no procedure "${path}".` })
  const method = type === 'query' ? 'GET' : 'POST'
  if (type === 'subscription') {
    throw new TRPCError({
      code: 'METHOD_NOT_SUPPORTED',
      message: `"${path}" is a subscription: use the WebSocket.`,
    })
  }
  if (request.method !== method) {
    throw new TRPCError({ code: 'METHOD_NOT_SUPPORTED', message: `"${path}" is a ${type}: use ${method}.` })
  }
  return type as 'query' | 'mutation'
}

async function readInput(request: IncomingMessage, query: URLSearchParams): Promise<unknown> {
  if (request.method === 'GET') return parse(query.get('input') ?? undefined)
  // A form can be posted across origins without asking; JSON cannot.
  if (!/^application\/json(;|$)/i.test(request.headers['content-type'] ?? 'application/json')) {
    throw new TRPCError({ code: 'UNSUPPORTED_MEDIA_TYPE', message: 'Send the input as application/json.' })
  }
  return parse(await readBody(request))
}

async function readBody(request: IncomingMessage): Promise<string> {
  const tooLarge = () =>
    new TRPCError({
      code: 'PAYLOAD_TOO_LARGE',
      message: `A request may have ${MAX_BODY_BYTES} bytes at most.`,
    })
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge()
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parse(text: string | undefined): unknown {
  if (!text) return undefined
  try {
    return JSON.parse(text)
  } catch {
    throw new TRPCError({ code: 'PARSE_ERROR', message: 'The input is not valid JSON.' })
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null
