/**
 * tRPC's WebSocket wire format. The stock adapter runs each subscription as a generator that is raced against an abort, and
 * makes each event text for each subscriber: 15 KiB for each of them, and most of the time in which thousands are told
 * of a change (seen). This serves what `wsLink` sends, in the words of the stock adapter. Nobody is asked to connect
 * anew: we close with 1012 instead.
 */
import { TRPCError } from '@trpc/server'
import { parseConnectionParamsFromUnknown } from '@trpc/server/http'
import { parseTRPCMessage } from '@trpc/server/rpc'
import { appRouter } from '#router/router'
import { createCalls } from './calls.ts'
import { MAX_BATCH } from './http.ts'
import { isOpen, sayText, type Asked, type Line } from './line.ts'
import { refuse } from './refuse.ts'

type Message = ReturnType<typeof parseTRPCMessage>

const NOBODY: Asked = { id: null, jsonrpc: undefined }
/** Stock clients count their requests. */
const LONGEST_ID = 128
const { transformer } = appRouter._def._config

/**
 * Makes the talk with all WebSockets. `onTrouble`: a client breaks the protocol. `hangUp` ends one that does nothing else, or
 * sends more than it may.
 */
export function createConversation(options: {
  onError: (source: string, error: Error, path: string) => void
  onTrouble: (source: string, cause: Error) => void
  hangUp: (line: Line, reason: string) => void
}) {
  const calls = createCalls(options.onError)
  const trouble = (line: Line, asked: Asked, cause: TRPCError) =>
    options.onTrouble(line.source, refuse(line, asked, { cause }))

  function handle(line: Line, message: Message, batchIndex: number) {
    const { id } = message
    if (id === null) return trouble(line, message, NO_ID)
    // It is kept with a feed, and said with each event: a page of 25 would be 25 MB.
    if (String(id).length > LONGEST_ID) return trouble(line, NOBODY, LONG_ID)
    if (message.method === 'subscription.stop') return calls.stop(line, id)
    const call = { ...message, id, batchIndex, params: withLastEventId(message.params) }
    void (message.method === 'subscription' ? calls.follow(line, call) : calls.answer(line, call))
  }

  /** The messages of a frame. None of them counts when one is none, or there are too many. */
  function read(line: Line, text: string | undefined): Message[] {
    try {
      const json: unknown = parse(text)
      if (!Array.isArray(json)) return [parseTRPCMessage(json, transformer)]
      if (json.length <= MAX_BATCH) return json.map((one) => parseTRPCMessage(one, transformer))
      const callers = json.filter(isCall).map(toAsked)
      for (const asked of callers.length > 0 ? callers : [NOBODY]) refuse(line, asked, { cause: TOO_MANY })
      options.onTrouble(line.source, TOO_MANY)
    } catch (cause) {
      refuse(line, NOBODY, { cause: new TRPCError({ code: 'PARSE_ERROR', cause }) })
      options.onTrouble(line.source, NO_CALL)
    }
    return []
  }

  /** A caller is known by the headers that it came with: what it says here is only looked at. */
  function readParams(line: Line, text: string | undefined) {
    line.awaitsParams = false
    try {
      const message = parse(text)
      if (typeof message !== 'object' || message === null || Array.isArray(message)) throw MALFORMED
      parseConnectionParamsFromUnknown((message as { data?: unknown }).data)
    } catch (cause) {
      trouble(line, NOBODY, cause instanceof TRPCError ? cause : MALFORMED)
      setImmediate(() => line.client.close())
    }
  }

  return {
    /** Takes one message of a client, whatever it is. */
    hear(line: Line, data: Buffer, isBinary: boolean): void {
      if (!isOpen(line)) return
      if (!line.toll.charge(data.length)) return options.hangUp(line, TOO_FAST)
      const text = isBinary ? undefined : data.toString()
      if (text === 'PONG') return
      if (text === 'PING') return sayText(line, 'PONG')
      if (line.awaitsParams) return readParams(line, text)
      const messages = read(line, text)
      if (!line.toll.noteCall(messages.some(({ id }) => id !== null))) return options.hangUp(line, NO_CALLS)
      for (const [index, message] of messages.entries()) handle(line, message, index)
    },
    /** Takes a ping of the protocol, which was answered already. */
    hearPing(line: Line, data: Buffer): void {
      if (isOpen(line) && !line.toll.charge(data.length)) options.hangUp(line, TOO_FAST)
    },
    leave: calls.leave,
  }
}

/** What a frame that is too large is answered with: each call that can be told apart. */
function toAsked({ id, jsonrpc }: { id: string | number; jsonrpc?: unknown }): Asked {
  return { id, jsonrpc: jsonrpc === '2.0' ? jsonrpc : undefined }
}

function isCall(value: unknown): value is { id: string | number; jsonrpc?: unknown } {
  if (typeof value !== 'object' || value === null) return false
  const { id, method } = value as { id?: unknown; method?: unknown }
  return method !== 'subscription.stop' && (typeof id === 'number' || typeof id === 'string')
}

function parse(text: string | undefined): unknown {
  if (text === undefined) throw new Error('Send JSON as text, not in binary frames.')
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Error('The message is not valid JSON.', { cause })
  }
}

/** A client that comes back says where it left off, beside the input: the procedures look for it there. */
function withLastEventId<Params extends { input: unknown; lastEventId?: string }>(params: Params): Params {
  const { input, lastEventId } = params
  if (lastEventId === undefined) return params
  if (typeof input === 'object' && input !== null && !Array.isArray(input)) {
    return { ...params, input: { ...input, lastEventId } }
  }
  return { ...params, input: input ?? { lastEventId } }
}

/** Why a client is hung up on; a close frame has room for 123 bytes. */
const TOO_FAST = 'too many frames: this machine may make 200 calls a second'
const NO_CALLS = 'nothing that this connection sent is a call'
const NO_CALL = new TRPCError({ code: 'PARSE_ERROR', message: 'A WebSocket sent what is no call.' })
const NO_ID = new TRPCError({ code: 'PARSE_ERROR', message: '`id` is required' })
const LONG_ID = new TRPCError({
  code: 'PARSE_ERROR',
  message: `An \`id\` may have ${LONGEST_ID} characters at most`,
})
const TOO_MANY = new TRPCError({ code: 'BAD_REQUEST', message: 'Batch call exceeds maximum size' })
const MALFORMED = new TRPCError({ code: 'PARSE_ERROR', message: 'Malformed TRPCConnectionParamsMessage' })
