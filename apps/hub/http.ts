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
import { sendText } from './answer.ts'
import { readBody } from './body.ts'

/** A stock client batches all that it calls in one turn; as many writes share one commit. */
export const MAX_BATCH = 256
/** How much a batch of queries answers, in characters: what comes after that is refused, so that many large ones fit. */
const MAX_ANSWERED = 8 * 1_024 * 1_024

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
}
type Answer = { status: number; body: unknown }
type Reply = { status: number; text: string }

/** Answers one HTTP request whose path below the mount is `path`: one procedure, or several of a batch. */
export async function serveCall<Context>(
  request: IncomingMessage,
  response: ServerResponse,
  exchange: Exchange<Context>,
): Promise<void> {
  const { status, text } = await answerCall(request, exchange).catch((cause: unknown) =>
    toReply(toFailure(cause, { ...exchange, input: undefined })),
  )
  sendText(response, status, text)
}

async function answerCall<Context>(
  request: IncomingMessage,
  { query, ...call }: Exchange<Context>,
): Promise<Reply> {
  const isBatch = query.get('batch') === '1'
  const paths = isBatch ? call.path.split(',') : [call.path]
  if (paths.length > MAX_BATCH) {
    throw new TRPCError({ code: 'BAD_REQUEST', message: `A batch holds at most ${MAX_BATCH} calls.` })
  }
  const input = parse(request.method === 'GET' ? query.get('input') : await readBody(request))
  if (!isBatch) return toReply(await callOne(request, { ...call, input, batchIndex: 0 }))
  const inputs = toInputs(input)
  const calls = paths.map((path, batchIndex) => {
    return { ...call, path, input: inputs[String(batchIndex)], batchIndex }
  })
  // Writes share a commit when they come together; queries share nothing, and may answer much.
  const replies =
    request.method === 'GET'
      ? await answerInTurn(request, calls)
      : await Promise.all(calls.map(async (one) => toReply(await callOne(request, one))))
  const statuses = new Set(replies.map((reply) => reply.status))
  return {
    status: statuses.size === 1 ? replies[0]!.status : 207,
    text: `[${replies.map((reply) => reply.text).join(',')}]`,
  }
}

async function answerInTurn<Context>(request: IncomingMessage, calls: OneCall<Context>[]): Promise<Reply[]> {
  const replies: Reply[] = []
  let answered = 0
  for (const call of calls) {
    const isFull = answered > MAX_ANSWERED
    const reply = toReply(isFull ? toFailure(new TRPCError(TOO_MUCH), call) : await callOne(request, call))
    answered += reply.text.length
    replies.push(reply)
  }
  return replies
}

const TOO_MUCH = {
  code: 'PAYLOAD_TOO_LARGE',
  message: 'The answers before this one in the batch are more than 8 MB: ask for it by itself.',
} as const

const toReply = ({ status, body }: Answer): Reply => ({ status, text: JSON.stringify(body) })

async function callOne<Context>(request: IncomingMessage, call: OneCall<Context>): Promise<Answer> {
  try {
    const data: unknown = await callTRPCProcedure({
      router: call.router,
      path: call.path,
      getRawInput: () => Promise.resolve(call.input),
      ctx: call.context,
      type: toType(request, call.router, call.path),
      // No query and no mutation looks at it; one that is aborted at the end of each request costs more than the call.
      signal: undefined,
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
