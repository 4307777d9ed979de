/**
 * HTTP/1.1 to the hub of this machine, over node:net. Loading node:http and its first call cost a process that lives
 * for some 35 ms another 6; this speaks the one form in which our hub answers, a body with its length.
 */
import { connect } from 'node:net'
import type { Answer } from '#client/request'

export type LocalPost = { path: string; headers: Record<string, string>; body: object }

/** Opens one connection for calls one after the other. A call rejects when the connection breaks under it. */
export function openLocalHttp(base: URL): (post: LocalPost) => Promise<Answer> {
  const socket = connect({
    host: base.hostname.replaceAll(/[[\]]/g, ''),
    port: Number(base.port),
    noDelay: true,
  })
  let received: Buffer = Buffer.alloc(0)
  let waiting: PromiseWithResolvers<Answer> | undefined
  let broken: Error | undefined

  const fail = (cause: Error) => {
    broken ??= cause
    waiting?.reject(broken)
  }
  socket.on('error', fail)
  socket.on('close', () => fail(new Error('the hub closed the connection')))
  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
    const answer = parseAnswer(received)
    if (!answer) return
    received = Buffer.alloc(0)
    waiting?.resolve(answer)
  })

  return ({ path, headers, body }) => {
    if (broken) return Promise.reject(broken)
    waiting = Promise.withResolvers()
    const payload = JSON.stringify(body)
    const lines = Object.entries({ host: base.host, 'content-type': 'application/json', ...headers })
    const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    socket.write(
      `POST ${path} HTTP/1.1\r\n${head}content-length: ${Buffer.byteLength(payload)}\r\n\r\n${payload}`,
    )
    return waiting.promise
  }
}

/** The answer once it is whole; `undefined` before. */
function parseAnswer(received: Buffer): Answer | undefined {
  const end = received.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const head = received.toString('latin1', 0, end)
  const body = received.subarray(end + 4)
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1])
  if (!(body.length >= length)) return undefined
  return { status: Number(head.slice(9, 12)), body: JSON.parse(body.toString('utf8', 0, length)) }
}
