import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { TRPCError } from '@trpc/server'

/** Bodies larger than this are refused; the largest message, escaped, is a third of it. */
export const MAX_BODY_BYTES = 1_024 * 1_024
/** How long a refused client may go on sending while our answer is on its way. */
const LINGER_MS = 1_000

/**
 * Reads the body of a call. Throws TRPCErrors for what is no JSON by its type (a form or plain text can be posted
 * across origins without asking), what is too large, and for a client that hangs up.
 */
export async function readBody(request: IncomingMessage): Promise<string> {
  if (!hasBody(request)) return ''
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
    throw new TRPCError({ code: 'UNSUPPORTED_MEDIA_TYPE', message: 'Send the input as application/json.' })
  }
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge()
  const body = await readAll(request)
  // Half a character would be kept as another one, and nobody told.
  if (!isUtf8(body)) throw new TRPCError({ code: 'PARSE_ERROR', message: 'The input is not valid UTF-8.' })
  return body.toString('utf8')
}

/** By events: the iterator of a request costs more than all else that is done with a small body. */
function readAll(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    let ended = false
    request.on('data', (chunk: Buffer) => {
      // What comes after a refusal is read into nothing: the socket still carries the answer.
      if (size > MAX_BODY_BYTES) return
      size += chunk.length
      if (size > MAX_BODY_BYTES) reject(tooLarge())
      else chunks.push(chunk)
    })
    request.on('end', () => {
      ended = true
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks))
    })
    request.on('error', (cause) => reject(hungUp(cause)))
    request.on('close', () => {
      if (!ended) reject(hungUp())
    })
  })
}

/** Whether the client announced a body that has not come in to its end. */
export const hasUnreadBody = (request: IncomingMessage): boolean => hasBody(request) && !request.complete

/**
 * Reads what the client still sends, into nothing, for a second at most. Hanging up on a client that is sending makes
 * its system throw our answer away (RFC 9112, 9.6).
 */
export async function drain(request: IncomingMessage): Promise<void> {
  if (request.destroyed) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const impatience = setTimeout(resolve, LINGER_MS)
  request.once('end', resolve).once('close', resolve).resume()
  await promise
  clearTimeout(impatience)
}

const hasBody = ({ headers }: IncomingMessage) =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
const hungUp = (cause?: Error) =>
  new TRPCError({ code: 'CLIENT_CLOSED_REQUEST', message: 'The client hung up.', cause })
const tooLarge = () =>
  new TRPCError({ code: 'PAYLOAD_TOO_LARGE', message: `A request may have ${MAX_BODY_BYTES} bytes at most.` })
