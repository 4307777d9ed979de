import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { converse } from '../harness/raw.ts'
import { waitFor } from '../harness/wait.ts'
import { INTERNALS, useOneHub } from './one-hub.ts'

const hub = useOneHub()

describe('on a WebSocket', () => {
  /** A WebSocket that sends what it is told, and keeps what it hears. */
  async function openRaw() {
    const socket = new WebSocket(`${hub.url.replace('http', 'ws')}/trpc`, { headers: hub.headers })
    const heard: string[] = []
    let code: number | undefined
    socket.on('message', (data: Buffer) => heard.push(data.toString('utf8')))
    socket.on('close', (closed) => (code = closed))
    socket.on('error', () => undefined)
    await waitFor(() => socket.readyState === socket.OPEN, 'the socket to open')
    return {
      send: (data: string | Buffer) => socket.send(data),
      hear: (count = 1) => waitFor(() => heard.length >= count, 'an answer').then(() => heard),
      closed: () => waitFor(() => code, 'the socket to be closed'),
      [Symbol.dispose]: () => socket.terminate(),
    }
  }
  const call = (path: string, more: object = {}) =>
    JSON.stringify({ id: 1, method: 'query', params: { path }, ...more })

  test.each([
    ['no JSON', '{'],
    ['a number', '1'],
    ['null', 'null'],
    ['no method', '{"id":1}'],
    ['no params', '{"id":1,"method":"query"}'],
    ['a method that is none', '{"id":1,"method":"__proto__","params":{"path":"hub.health"}}'],
    ['no id', '{"method":"query","params":{"path":"hub.health"}}'],
    ['an unknown procedure', call('no.such')],
    ['a prototype’s key', call('__proto__')],
    ['another prototype’s key', call('constructor')],
    ['toString', call('toString')],
    ['a mutation called as a query', call('hub.stop')],
    ['a subscription called as a query', call('peers.watch')],
    ['a wrong input', call('messages.history', { params: { path: 'messages.history', input: 7 } })],
    ['a nested array', '[[[[]]]]'],
  ])('%s is answered with an error', async (_, text) => {
    using socket = await openRaw()
    socket.send(text)
    const [answer] = await socket.hear()
    expect(JSON.parse(answer!)).toMatchObject({ error: { message: expect.any(String) } })
    expect(answer).not.toMatch(INTERNALS)
  })

  test('binary frames that are no text are answered with an error', async () => {
    using socket = await openRaw()
    socket.send(Buffer.from([0xff, 0xfe, 0x00]))
    expect((await socket.hear())[0]).toContain('error')
  })

  test('a frame larger than 1 MiB closes the socket', async () => {
    using socket = await openRaw()
    socket.send(Buffer.alloc(1_024 * 1_024 + 1, 32).toString())
    expect(await socket.closed()).toBe(1009)
  })

  test('a batch that is too large is answered with errors', async () => {
    using socket = await openRaw()
    socket.send(
      JSON.stringify(
        Array.from({ length: 1_000 }, (_, id) => ({ id, method: 'query', params: { path: 'hub.health' } })),
      ),
    )
    const [answer] = await socket.hear()
    expect(JSON.parse(answer!)).toMatchObject({ error: { data: { code: 'BAD_REQUEST' } } })
  })

  test('a frame that breaks the protocol closes the socket', async () => {
    const key = randomBytes(16).toString('base64')
    const head = `GET /trpc HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${hub.bearer}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`
    // An unmasked text frame: a server must fail the connection (RFC 6455, 5.1).
    expect(await converse(hub.url, `${head}\u0081\u0001x`)).toMatch(/^HTTP\/1.1 101 /)
  })
})
