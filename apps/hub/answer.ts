import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { TRPC_ERROR_CODES_BY_KEY, type TRPC_ERROR_CODE_KEY } from '@trpc/server/rpc'
import { drain, hasUnreadBody } from './body.ts'

/** Sends JSON. A client whose body was left unread hears the answer, and is then hung up on. */
export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const payload = Buffer.from(JSON.stringify(body))
  const unread = hasUnreadBody(response.req)
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': payload.length,
    'cache-control': 'no-store',
    ...(unread && { connection: 'close' }),
  })
  if (!unread) {
    response.end(payload)
    return
  }
  response.write(payload)
  void drain(response.req).then(() => response.end())
}

/** Sends what a typed client reads as an error, without asking the router. */
export function sendError(
  response: ServerResponse,
  { status, reason, path }: { status: number; reason: string; path?: string | undefined },
): void {
  const code = CODES[status] ?? 'BAD_REQUEST'
  sendJson(response, status, {
    error: {
      message: reason,
      code: TRPC_ERROR_CODES_BY_KEY[code],
      data: { code, httpStatus: status, ...(path !== undefined && { path }) },
    },
  })
}

/** Answers an upgrade with a refusal, and hangs up: nobody else keeps count of an upgraded socket. */
export function refuseUpgrade(socket: Duplex, { status, reason }: { status: number; reason: string }): void {
  const head = [
    `HTTP/1.1 ${status} Refused`,
    'content-type: text/plain; charset=utf-8',
    `content-length: ${Buffer.byteLength(reason)}`,
    'connection: close',
  ]
  socket.once('finish', () => socket.destroy())
  socket.end(`${head.join('\r\n')}\r\n\r\n${reason}`)
}

const CODES: Record<number, TRPC_ERROR_CODE_KEY> = {
  401: 'UNAUTHORIZED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  421: 'FORBIDDEN',
  503: 'SERVICE_UNAVAILABLE',
}
