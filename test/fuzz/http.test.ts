import { connect } from 'node:net'
import { array, constantFrom, oneof, record, tuple, type Arbitrary } from 'fast-check'
import { expect } from 'vitest'
import { INTERNALS } from '../hub/one-hub.ts'
import { fuzz } from './bound.ts'
import { anyCalls, type FuzzedCall } from './calls.ts'
import { useFuzzedHub } from './office.ts'
import { anyBytes, anyText } from './values.ts'

const hub = useFuzzedHub()
/** How long an answer, or the end of the connection, may take on a busy machine. */
const ANSWER_MS = 10_000

type Request = {
  method: string
  target: string
  headers: [string, string][]
  as: 'victim' | 'guest' | 'nobody' | 'somebody'
  length: 'right' | 'chunked' | 'none' | number
  body: Buffer
}

const asJson = (calls: FuzzedCall[], isBatch: boolean) =>
  JSON.stringify(isBatch ? Object.fromEntries(calls.map(({ input }, at) => [at, input])) : calls[0]!.input) ??
  ''
const encode = (text: string) => encodeURIComponent(text.toWellFormed())

const aimed = tuple(anyCalls, constantFrom('GET', 'POST'), constantFrom(true, false)).map(
  ([calls, method, isBatch]) => {
    const path = isBatch ? calls.map((call) => encode(call.path)).join() : encode(calls[0]!.path)
    const json = asJson(calls, isBatch)
    const query = [...(isBatch ? ['batch=1'] : []), ...(method === 'GET' ? [`input=${encode(json)}`] : [])]
    return {
      method,
      target: `/trpc/${path}?${query.join('&')}`.slice(0, 12_000),
      json: method === 'GET' ? '' : json,
    }
  },
)
const wild = record({
  method: oneof(constantFrom('PUT', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH', 'CONNECT', 'PROPFIND'), anyText),
  target: oneof(
    constantFrom('/health', '/metrics', '/health?challenge=x', '*', '//', '/trpc/../..'),
    anyText,
  ),
  json: anyText,
})
const header = tuple(
  oneof(
    constantFrom(
      'Host',
      'Origin',
      'Content-Type',
      'Expect',
      'Upgrade',
      'Connection',
      'Cookie',
      'Range',
      'Forwarded',
      'X-Forwarded-For',
      'x-claude-peers-key',
    ),
    anyText,
  ),
  oneof(anyText, constantFrom('100-continue', 'websocket', 'close', 'localhost', 'application/json;x=')),
)
const requests: Arbitrary<Request> = oneof({ arbitrary: aimed, weight: 4 }, wild).chain(
  ({ method, target, json }) =>
    record({
      method: constantFrom(method),
      target: constantFrom(target),
      headers: oneof(
        { arbitrary: constantFrom<[string, string][]>([]), weight: 4 },
        array(header, { maxLength: 3 }),
      ),
      as: oneof(
        { arbitrary: constantFrom('victim' as const), weight: 6 },
        constantFrom('guest' as const, 'guest' as const, 'nobody' as const, 'somebody' as const),
      ),
      length: oneof(
        { arbitrary: constantFrom('right' as const), weight: 6 },
        constantFrom('chunked' as const, 'none' as const, 0, 1, 10_000_000, -1),
      ),
      body: oneof({ arbitrary: constantFrom(Buffer.from(json)), weight: 3 }, anyBytes(constantFrom(json))),
    }),
)

function toBytes({ method, target, headers, as, length, body }: Request): Buffer {
  const own: [string, string][] = [
    ['Host', 'localhost'],
    ['Content-Type', 'application/json'],
  ]
  if (as === 'victim') own.push(...Object.entries(hub.headers))
  if (as === 'guest') own.push(...Object.entries(hub.guest))
  if (as === 'somebody') own.push(['Authorization', `Bearer ${hub.token.replaceAll(/./g, 'x')}`])
  if (length === 'chunked') own.push(['Transfer-Encoding', 'chunked'])
  else if (length !== 'none') own.push(['Content-Length', String(length === 'right' ? body.length : length)])
  const lines = [...own, ...headers].map(([name, value]) => `${name}: ${value}\r\n`).join('')
  const sent =
    length === 'chunked'
      ? [Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')]
      : [body]
  return Buffer.concat([
    Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines}Connection: close\r\n\r\n`),
    ...sent,
  ])
}

/** Says it, hangs up its own side, and gives all that is answered. */
function say(bytes: Buffer): Promise<string> {
  const { port } = new URL(hub.url)
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: Number(port), allowHalfOpen: true })
    let text = ''
    const impatience = setTimeout(() => {
      reject(new Error(`no end within ${ANSWER_MS} ms; the hub said: ${text.slice(0, 500)}`))
      socket.destroy()
    }, ANSWER_MS)
    // A connection that is reset is at an end, too.
    socket.on('error', () => undefined)
    socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk))
    socket.once('end', () => socket.destroy())
    socket.once('close', () => {
      clearTimeout(impatience)
      resolve(text)
    })
    socket.end(bytes)
  })
}

fuzz('every HTTP request is answered or hung up on, and none breaks the hub', requests, async (request) => {
  const answer = await say(toBytes(request))
  if (answer === '') return
  expect(answer).toMatch(/^HTTP\/1\.1 [1-4]\d\d /)
  expect(answer).not.toMatch(/\r\nHTTP\/1\.1 5\d\d /)
  // Who is known reads the directories of its peers, and its own words in the error of a field.
  if (request.as === 'nobody' || request.as === 'somebody') expect(answer).not.toMatch(INTERNALS)
  expect(answer).not.toContain(hub.token)
})
