import { STATUS_CODES, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { TRPC_ERROR_CODES_BY_KEY, type TRPC_ERROR_CODE_KEY } from '@trpc/server/rpc'
import { drain, hasUnreadBody } from './body.ts'

/** Sends a value as JSON. */
export const sendJson = (response: ServerResponse, status: number, body: unknown): void =>
  sendText(response, status, JSON.stringify(body))

/** Sends JSON. A client whose body was left unread hears the answer, and is then hung up on. */
export function sendText(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status
  response.setHeader('content-type', 'application/json')
  response.setHeader('cache-control', 'no-store')
  // Head and text are one write, and node:http counts the length.
  if (!hasUnreadBody(response.req)) return void response.end(text)
  response.setHeader('content-length', Buffer.byteLength(text))
  response.setHeader('connection', 'close')
  response.write(text)
  void drain(response.req).then(() => response.end())
}

/** What a caller hears of a refusal. Not `told`: the status in words, and nothing of the hub. */
type Words = { status: number; reason: string; told?: boolean; retryAfter?: number }

/** Sends what a typed client reads as an error, without asking the router. */
export function sendError(
  response: ServerResponse,
  { path, ...refusal }: Words & { path?: string | undefined },
): void {
  const { status, told = true, retryAfter } = refusal
  const code = CODES[status] ?? 'BAD_REQUEST'
  if (retryAfter !== undefined) response.setHeader('retry-after', retryAfter)
  sendJson(response, status, {
    error: {
      message: toWords(refusal),
      code: TRPC_ERROR_CODES_BY_KEY[code],
      data: { code, httpStatus: status, ...(told && path !== undefined && { path }) },
    },
  })
}

/** Answers an upgrade with a refusal, and hangs up: nobody else keeps count of an upgraded socket. */
export function refuseUpgrade(socket: Duplex, refusal: Words): void {
  const { status, retryAfter } = refusal
  const reason = toWords(refusal)
  const head = [
    `HTTP/1.1 ${status} Refused`,
    'content-type: text/plain; charset=utf-8',
    `content-length: ${Buffer.byteLength(reason)}`,
    ...(retryAfter === undefined ? [] : [`retry-after: ${retryAfter}`]),
    'connection: close',
  ]
  socket.once('finish', () => socket.destroy())
  socket.end(`${head.join('\r\n')}\r\n\r\n${reason}`)
}

const toWords = ({ status, reason, told = true }: Words) =>
  told ? reason : (STATUS_CODES[status] ?? 'Refused')

const CODES: Record<number, TRPC_ERROR_CODE_KEY> = {
  401: 'UNAUTHORIZED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  421: 'FORBIDDEN',
  429: 'TOO_MANY_REQUESTS',
  503: 'SERVICE_UNAVAILABLE',
}
