/**
 * HTTP/1.1 to the hub of this machine, without node:http: loading it and its first call cost a process that lives for
 * some 30 ms another 6. This speaks the one form in which our hub answers, a body with its length.
 */
import type { Answer } from '#client/request'
import { connectTo, type Place } from './sockets.ts'

/** A call; one without a body only asks. */
export type LocalPost = { path: string; headers: Record<string, string>; body?: object }

/** Opens one connection for calls one after the other. A call rejects when the connection breaks under it. */
export function openLocalHttp({ host, port }: Place): (post: LocalPost) => Promise<Answer> {
  let received: Buffer = Buffer.alloc(0)
  let waiting: PromiseWithResolvers<Answer> | undefined
  let isBroken = false

  const say = connectTo(
    { host: host.replaceAll(/[[\]]/g, ''), port },
    {
      onBytes(bytes) {
        received = received.length === 0 ? bytes : Buffer.concat([received, bytes])
        const answer = parseAnswer(received)
        if (!answer) return
        received = Buffer.alloc(0)
        waiting?.resolve(answer)
      },
      onEnd() {
        isBroken = true
        waiting?.reject(toBroken())
      },
    },
  )

  return ({ path, headers, body }) => {
    if (isBroken) return Promise.reject(toBroken())
    waiting = Promise.withResolvers()
    const payload = body ? JSON.stringify(body) : ''
    const content = body && {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(payload)),
    }
    const lines = Object.entries({ host: `${host}:${port}`, ...content, ...headers })
    const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    say(`${body ? 'POST' : 'GET'} ${path} HTTP/1.1\r\n${head}\r\n${payload}`)
    return waiting.promise
  }
}

const toBroken = () => new Error('there is no connection to the hub')

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
