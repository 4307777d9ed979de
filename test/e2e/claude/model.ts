import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { isSideCall, toModelRequest, type ModelRequest, type RequestBody } from './request.ts'
import { followPrompt, type ApiError, type Reply } from './script.ts'
import { toEventStream } from './stream.ts'

export { contextOf, type ModelRequest } from './request.ts'
export type { Reply, ToolUse } from './script.ts'

/** Decides what the model answers; `undefined` leaves it to the prompt. While it waits, the session is busy. */
export type Responder = (request: ModelRequest) => Reply | undefined | Promise<Reply | undefined>

/** `from` skips the requests before that index of the log; the wait fails after `timeoutMs`, 30,000 by default. */
export type WaitOptions = { timeoutMs?: number; from?: number; signal?: AbortSignal }

/** A scripted Messages API on loopback, and the log of what its clients sent. */
export type Model = {
  url: string
  /** The requests of conversations, those of subagents too, in the order of their arrival. */
  requests: ModelRequest[]
  /** The requests without tools, which no script answers. */
  sideCalls: ModelRequest[]
  /** Answers the first request, logged already or still to come, that the predicate accepts. */
  waitForRequest: (
    predicate: (request: ModelRequest) => boolean,
    options?: WaitOptions,
  ) => Promise<ModelRequest>
  [Symbol.asyncDispose]: () => Promise<void>
}

/** Starts a model on a free port of 127.0.0.1; `reply` goes before the script that a prompt carries. */
export async function startModel(options: { reply?: Responder } = {}): Promise<Model> {
  const requests: ModelRequest[] = []
  const sideCalls: ModelRequest[] = []
  const log = new EventEmitter().setMaxListeners(0)

  async function answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = (await json(incoming)) as RequestBody
    const isSide = isSideCall(body)
    const list = isSide ? sideCalls : requests
    const request = toModelRequest(body, incoming.headers, list.length)
    list.push(request)
    log.emit('request')
    const reply = isSide ? { text: 'done' } : ((await options.reply?.(request)) ?? followPrompt(request))
    if ('error' in reply) return sendError(response, reply)
    const id = `msg_${isSide ? 'side' : 'main'}${request.index}`
    const stream = toEventStream({ model: body.model, id, content: toContent(reply) })
    response.writeHead(200, { 'content-type': 'text/event-stream', 'request-id': id }).end(stream)
  }

  const server = createServer((incoming, response) => {
    const isMessages = incoming.method === 'POST' && incoming.url?.split('?')[0] === '/v1/messages'
    if (!isMessages) return void response.writeHead(incoming.method === 'HEAD' ? 200 : 404).end()
    // The client repeats a request that failed with a 5xx, and ends the turn with the message of a 400.
    answer(incoming, response).catch((error: unknown) => {
      const detail = { type: 'invalid_request_error', message: `the script is broken: ${String(error)}` }
      sendError(response, { status: 400, error: detail })
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    sideCalls,
    async waitForRequest(predicate, { timeoutMs = 30_000, from = 0, signal } = {}) {
      const deadline = AbortSignal.timeout(timeoutMs)
      const ended = signal ? AbortSignal.any([signal, deadline]) : deadline
      let next = from
      for (;;) {
        const found = requests.slice(next).find(predicate)
        if (found) return found
        next = Math.max(next, requests.length)
        await once(log, 'request', { signal: ended }).catch((cause: unknown) => {
          throw new Error(`no such request came (bound: ${timeoutMs} ms). ${toDigest(requests)}`, { cause })
        })
      }
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

function sendError(response: ServerResponse, { status, error }: ApiError) {
  response.writeHead(status, { 'content-type': 'application/json', 'x-should-retry': 'false' })
  response.end(JSON.stringify({ type: 'error', error }))
}

function toContent(reply: Exclude<Reply, ApiError>): Parameters<typeof toEventStream>[0]['content'] {
  if ('text' in reply) return [reply.text]
  return 'toolUse' in reply ? [reply.toolUse] : reply.toolUses
}

function toDigest(requests: ModelRequest[]): string {
  const lines = requests.slice(-5).map(({ index, body }) => {
    const newest = body.messages.findLast(({ role }) => role === 'user')
    return `#${index} ${JSON.stringify(newest?.content).slice(-400)}`
  })
  return [`${requests.length} came, the last of them with these user messages:`, ...lines].join('\n')
}
