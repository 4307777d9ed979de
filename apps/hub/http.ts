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
import { sendJson } from './answer.ts'
import { readBody } from './body.ts'

/** A stock client batches all that it calls in one turn; as many writes share one commit. */
export const MAX_BATCH = 256

export type CallOptions<Context> = {
  router: AnyTRPCRouter
  context: Context
  onError: (error: TRPCError, path: string) => void
}

type Exchange<Context> = CallOptions<Context> & { path: string; query: URLSearchParams }
type OneCall<Context> = CallOptions<Context> & {
  path: string
  input: unknown
  batchIndex: number
  signal: AbortSignal
}
type Answer = { status: number; body: unknown }

/** Answers one HTTP request whose path below the mount is `path`: one procedure, or several of a batch. */
export async function serveCall<Context>(
  request: IncomingMessage,
  response: ServerResponse,
  exchange: Exchange<Context>,
): Promise<void> {
  const left = new AbortController()
  response.once('close', () => left.abort())
  const answer = await answerCall(request, exchange, left.signal).catch((cause: unknown) =>
    toFailure(cause, { ...exchange, input: undefined }),
  )
  sendJson(response, answer.status, answer.body)
}

async function answerCall<Context>(
  request: IncomingMessage,
  { query, ...call }: Exchange<Context>,
  signal: AbortSignal,
): Promise<Answer> {
  const isBatch = query.get('batch') === '1'
  const paths = isBatch ? call.path.split(',') : [call.path]
  if (paths.length > MAX_BATCH) {
    throw new TRPCError({ code: 'BAD_REQUEST', message: `A batch holds at most ${MAX_BATCH} calls.` })
  }
  const input = parse(request.method === 'GET' ? query.get('input') : await readBody(request))
  if (!isBatch) return callOne(request, { ...call, input, batchIndex: 0, signal })
  const inputs = toInputs(input)
  const answers = await Promise.all(
    paths.map((path, batchIndex) =>
      callOne(request, { ...call, path, input: inputs[String(batchIndex)], batchIndex, signal }),
    ),
  )
  const statuses = new Set(answers.map((answer) => answer.status))
  return {
    status: statuses.size === 1 ? answers[0]!.status : 207,
    body: answers.map((answer) => answer.body),
  }
}

async function callOne<Context>(request: IncomingMessage, call: OneCall<Context>): Promise<Answer> {
  try {
    const data: unknown = await callTRPCProcedure({
      router: call.router,
      path: call.path,
      getRawInput: () => Promise.resolve(call.input),
      ctx: call.context,
      type: toType(request, call.router, call.path),
      signal: call.signal,
      batchIndex: call.batchIndex,
    })
    return { status: 200, body: { result: { data } } }
  } catch (cause) {
    return toFailure(cause, call)
  }
}

function toFailure<Context>(
  cause: unknown,
  { router, context, onError, path, input }: CallOptions<Context> & { path: string; input: unknown },
): Answer {
  const error = getTRPCErrorFromUnknown(cause)
  onError(error, path)
  const shape = getTRPCErrorShape({
    config: router._def._config,
    error,
    type: 'unknown',
    path,
    input,
    ctx: context,
  })
  return { status: getHTTPStatusCodeFromError(error), body: { error: shape } }
}

function toType(request: IncomingMessage, router: AnyTRPCRouter, path: string): 'query' | 'mutation' {
  const procedures = router._def.procedures as Record<string, { _def: { type: string } } | undefined>
  const type = Object.hasOwn(procedures, path) ? procedures[path]?._def.type : undefined
  if (type === undefined)
    throw new TRPCError({ code: 'NOT_FOUND', message: `There is no procedure "${path}".` })
  if (type === 'subscription') {
    throw new TRPCError({
      code: 'METHOD_NOT_SUPPORTED',
      message: `"${path}" is a subscription: use the WebSocket.`,
    })
  }
  const method = type === 'query' ? 'GET' : 'POST'
  if (request.method !== method) {
    throw new TRPCError({ code: 'METHOD_NOT_SUPPORTED', message: `"${path}" is a ${type}: use ${method}.` })
  }
  return type as 'query' | 'mutation'
}

function parse(text: string | null): unknown {
  if (!text) return undefined
  try {
    return JSON.parse(text)
  } catch {
    throw new TRPCError({ code: 'PARSE_ERROR', message: 'The input is not valid JSON.' })
  }
}

function toInputs(input: unknown): Record<string, unknown> {
  if (input === undefined) return {}
  if (typeof input === 'object' && input !== null) return input as Record<string, unknown>
  throw new TRPCError({
    code: 'BAD_REQUEST',
    message: 'The input of a batch is an object: {"0": …, "1": …}.',
  })
}
