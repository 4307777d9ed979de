import { TRPCClientError } from '@trpc/client'
import { MOUNT } from '#router/wire'
import type { Agents } from './agents.ts'
import { toHeaders, type Endpoint, type EndpointSource } from './endpoint.ts'
import { NoAnswerError } from './no-answer.ts'
import { explainRefusal, explainTls, explainUnknownCall } from './refusal.ts'
import { requestJson, type Answer } from './request.ts'

export type Call = { type: 'query' | 'mutation' | 'subscription'; path: string; input: unknown }
export type ExchangeOptions = {
  endpoint: EndpointSource
  timeoutMs: number
  agents: Agents
  signal: AbortSignal
}

const NEXT = 'Try again; "claude-peers status" shows how it is.'

/**
 * One call, to the data of its answer. A call that the hub did not take is made once more, at the endpoint looked up
 * anew: a hub that came back meanwhile is found. Repeating is safe, as every mutation of the contract is idempotent,
 * or at worst leaves an offer to its lease. Rejects with the hub's TRPCClientError, or an Error that says what to do.
 */
export async function exchange(call: Call, options: ExchangeOptions): Promise<unknown> {
  const endpoint = await options.endpoint({ fresh: false })
  try {
    const answer = await send(call, endpoint, options)
    // The hub starts or stops: it has not looked at the call.
    if (answer.status !== 503) return toData(answer, endpoint)
  } catch (cause) {
    if (!isBroken(cause)) throw toFailure(cause, endpoint, options)
  }
  const found = await options.endpoint({ fresh: true })
  const answer = await send(call, found, options).catch((cause: unknown) => {
    throw toFailure(cause, found, options)
  })
  return toData(answer, found)
}

function send({ type, path, input }: Call, endpoint: Endpoint, options: ExchangeOptions): Promise<Answer> {
  const { agents, signal, timeoutMs } = options
  const url = `${endpoint.url}${MOUNT}${path}`
  const query = input === undefined ? '' : `?input=${encodeURIComponent(JSON.stringify(input))}`
  return requestJson({
    headers: toHeaders(endpoint),
    timeoutMs,
    signal,
    agent: agents.of(url),
    ...(type === 'query' ? { method: 'GET', url: url + query } : { method: 'POST', url, body: input ?? {} }),
  })
}

function toData(answer: Answer, { url }: Endpoint): unknown {
  const { status, body, retryAfter } = answer
  // The door of a hub says when; a limit of its mailboxes has no such time, and is an answer.
  if (status === 429 && retryAfter !== undefined) {
    throw new NoAnswerError(
      `The hub at ${url} takes no calls of this machine now, as there are too many. ${NEXT}`,
    )
  }
  if (isRecord(body) && isRecord(body['result'])) return body['result']['data']
  const refusal = explainRefusal(answer, url) ?? explainUnknownCall(answer, url)
  if (isRecord(body) && isErrorShape(body['error'])) {
    const error = { ...body['error'], ...(refusal !== undefined && { message: refusal }) }
    throw TRPCClientError.from({ error } as never)
  }
  if (refusal !== undefined) throw new Error(refusal)
  throw new NoAnswerError(
    `The hub at ${url} did not take the call. It answered with status ${status}, in words that are none of a hub's: see whether another program answers there.`,
  )
}

/** The connection failed or broke: the hub restarts, or a kept connection was closed under the call. */
const isBroken = (cause: unknown) =>
  ['ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(String((cause as { code?: unknown }).code))

function toFailure(
  cause: unknown,
  { url }: Endpoint,
  { agents, signal, timeoutMs }: ExchangeOptions,
): unknown {
  const { code, syscall } = cause as NodeJS.ErrnoException
  // What was kept open went the same way, and may be as dead: the next call must not wait for it as well.
  if (code === 'ETIMEDOUT') agents.drop()
  if (code === undefined || signal.aborted) return cause
  const untrusted = explainTls(cause, url)
  if (untrusted !== undefined) return new Error(untrusted, { cause })
  if (code === 'ETIMEDOUT' && syscall === undefined) {
    return new NoAnswerError(`The hub at ${url} did not answer within ${timeoutMs} ms. ${NEXT}`, { cause })
  }
  return new NoAnswerError(`The hub at ${url} does not answer (${code}). ${NEXT}`, { cause })
}

const isErrorShape = (value: unknown): value is Record<string, unknown> =>
  isRecord(value) && typeof value['message'] === 'string' && typeof value['code'] === 'number'

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null
