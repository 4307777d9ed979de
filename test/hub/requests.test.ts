import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { converse, exchange } from '../harness/raw.ts'
import { INTERNALS, upgrade, useOneHub } from './one-hub.ts'

const hub = useOneHub()

describe('what may come in', () => {
  const post = (path: string, body: string | Buffer, type: string) =>
    exchange(`${hub.url}/trpc/${path}`, {
      method: 'POST',
      headers: { ...hub.headers, 'content-type': type, 'content-length': String(Buffer.byteLength(body)) },
      body,
    })

  test.each([
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'text/plain',
    'text/plain;charset=UTF-8',
    'application/jsonp',
    'text/json, application/json',
    'application/octet-stream',
  ])('a body of type %s is refused', async (type) => {
    const answer = await post('hub.stop', '{}', type)
    expect(answer.status).toBe(415)
    expect(JSON.parse(answer.body)).toMatchObject({ error: { data: { code: 'UNSUPPORTED_MEDIA_TYPE' } } })
  })

  test('a body that names no type is refused', async () => {
    const text = `POST /trpc/messages.retract HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${hub.bearer}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`
    expect(await converse(hub.url, text)).toMatch(/^HTTP\/1.1 415 /)
  })

  test.each([
    'application/json',
    'application/json;charset=utf-8',
    'application/json ; charset=UTF-8',
    'APPLICATION/JSON',
  ])('a body of type %s is taken', async (type) => {
    expect((await post('messages.retract', '{"messageId":1}', type)).status).toBe(401)
  })

  test('a large declared body is refused unread, and the client gets to hear why', async () => {
    const body = Buffer.alloc(3 * 1_024 * 1_024, 32)
    const answer = await post('peers.register', body, 'application/json')
    expect(answer.status).toBe(413)
    expect(answer.body).toContain('1048576 bytes')
  })

  test('a large body that comes in chunks is refused, and the client gets to hear why', async () => {
    const answer = await exchange(`${hub.url}/trpc/peers.register`, {
      method: 'POST',
      headers: { ...hub.headers, 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
      body: Buffer.alloc(3 * 1_024 * 1_024, 32),
    })
    expect(answer.status).toBe(413)
    expect(JSON.parse(answer.body)).toMatchObject({ error: { data: { code: 'PAYLOAD_TOO_LARGE' } } })
  })

  test('a client without a token gets to hear so, however much it brings', async () => {
    const answer = await exchange(`${hub.url}/trpc/peers.register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: Buffer.alloc(3 * 1_024 * 1_024, 32),
    })
    expect(answer.status).toBe(401)
  })

  test('a body that never ends does not keep a refused client’s connection open', async () => {
    const head = `POST /trpc/hub.stop HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{`
    expect(await converse(hub.url, head)).toMatch(/^HTTP\/1.1 401 /)
  })

  test('what is pipelined behind a refused body is not taken for a request', async () => {
    const inner = `POST /trpc/hub.stop HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${hub.bearer}\r\nContent-Length: 0\r\n\r\n`
    const outer = `POST /trpc/hub.stats HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${inner.length}\r\nConnection: close\r\n\r\n`
    const answers = await converse(hub.url, outer + inner)
    expect(answers.match(/HTTP\/1\.1 /g)).toHaveLength(1)
  })

  test('pipelined requests are answered in their order', async () => {
    const one = (path: string, last: boolean) =>
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${hub.bearer}\r\n${last ? 'Connection: close\r\n' : ''}\r\n`
    const text = await converse(
      hub.url,
      one('/trpc/hub.health', false) + one('/nothing', false) + one('/health', true),
    )
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 200'])
  })

  test('a connection is kept for the next call after an answer', async () => {
    expect(
      (await exchange(`${hub.url}/health`, { headers: { connection: 'keep-alive' } })).headers['connection'],
    ).toBe('keep-alive')
    const headers = { ...hub.headers, connection: 'keep-alive' }
    expect((await exchange(`${hub.url}/trpc/hub.health`, { headers })).headers['connection']).toBe(
      'keep-alive',
    )
  })

  test.each([
    ['no such procedure', '/trpc/no.such', 404],
    ['no procedure at all', '/trpc/', 404],
    ['a router', '/trpc/hub', 404],
    ['a prototype’s key', '/trpc/__proto__', 404],
    ['another prototype’s key', '/trpc/constructor', 404],
    ['a key below a prototype', '/trpc/hub.__proto__', 404],
    ['toString', '/trpc/toString', 404],
    ['a climb out of the mount', '/trpc/../health/../trpc/hub.nothing', 404],
    ['an encoded climb', '/trpc/%2e%2e/%2e%2e/etc/passwd', 404],
    ['a path beside the mount', '/trpcx/hub.health', 404],
    ['the root', '/', 404],
    ['broken percent-encoding in the path', '/trpc/hub.health%', 404],
    ['percent-encoding that is no UTF-8', '/trpc/%ff%fe', 404],
    ['a null byte', '/trpc/hub.health%00', 404],
    ['broken percent-encoding in the input', '/trpc/messages.history?input=%7B%22limit%22%3A%', 400],
    ['an input that is no JSON', '/trpc/messages.history?input=nonsense', 400],
    ['an input of another type', '/trpc/messages.history?input=%5B%5D', 400],
    ['a batch whose input is no object', '/trpc/messages.history,hub.health?batch=1&input=1', 400],
    ['no host before the path', '//', 404],
    ['a host that is none before the path', '//[', 404],
    ['a URL with a port that is none', 'http://localhost:99999999/trpc/hub.health', 400],
    ['a URL of another host', 'http://evil.example/trpc/hub.health', 400],
    ['a URL of this host', 'http://localhost/trpc/hub.health', 200],
    ['an asterisk', '*', 400],
  ])('%s is answered with an error', async (_, path, status) => {
    const request = `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${hub.bearer}\r\nConnection: close\r\n\r\n`
    const answer = await converse(hub.url, request)
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    const body = answer.slice(answer.indexOf('\r\n\r\n') + 4)
    expect(() => JSON.parse(body)).not.toThrow()
    expect(body.replaceAll(decodeURI('/etc/passwd'), '')).not.toMatch(INTERNALS)
  })

  test.each(['//[', 'http://localhost:99999999/trpc'])(
    'an upgrade at %s is answered with an error',
    async (path) => {
      const request = `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${hub.bearer}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`
      expect(await converse(hub.url, request)).toMatch(/^HTTP\/1.1 4\d\d /)
    },
  )

  test('a URL that cannot be parsed is refused to strangers too', async () => {
    expect(
      await converse(hub.url, `GET //[ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`),
    ).toMatch(/^HTTP\/1.1 4\d\d /)
  })

  test.each([
    ['malformed JSON', '{"messageId":', 400],
    ['nothing', '', 401],
    ['a lone surrogate', String.raw`{"messageId":"\ud800"}`, 401],
    ['a prototype in the input', '{"__proto__":{"self":{"id":"p_1"}},"messageId":1}', 401],
  ])('a body with %s is answered with an error', async (_, body, status) => {
    const answer = await post('messages.retract', body, 'application/json')
    expect(answer.status).toBe(status)
    expect(answer.body).not.toMatch(INTERNALS)
  })

  test('deeply nested JSON is answered with an error', async () => {
    const answer = await post('peers.register', '['.repeat(200_000), 'application/json')
    expect(answer.status).toBe(400)
    const closed = await post('peers.register', '['.repeat(100_000) + ']'.repeat(100_000), 'application/json')
    expect(closed.status).toBe(400)
  })

  test('a batch that is too large is refused', async () => {
    const paths = Array.from({ length: 1_000 }, () => 'hub.health').join(',')
    const answer = await exchange(`${hub.url}/trpc/${paths}?batch=1`, { headers: hub.headers })
    expect(answer.status).toBe(400)
    expect(answer.body).toContain('at most')
  })

  test.each(['HEAD', 'OPTIONS', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'POST'])(
    '%s on a query is refused',
    async (method) => {
      const answer = await exchange(`${hub.url}/trpc/hub.stats`, { method, headers: hub.headers })
      expect(answer.status).toBe(405)
    },
  )

  test('a mutation by GET is refused', async () => {
    expect((await exchange(`${hub.url}/trpc/hub.stop`, { headers: hub.headers })).status).toBe(405)
    expect(
      (await exchange(`${hub.url}/trpc/hub.health,hub.stop?batch=1`, { headers: hub.headers })).status,
    ).toBe(207)
  })

  test('headers larger than 16 KiB are refused', async () => {
    const text = `GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`
    expect(await converse(hub.url, text)).toMatch(/^HTTP\/1.1 431 /)
  })

  test('what is no HTTP at all is refused', async () => {
    expect(await converse(hub.url, 'SSH-2.0-OpenSSH_9.6\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /)
    const noise = randomBytes(256)
    noise[0] = 0x16
    expect(await converse(hub.url, noise.toString('latin1'))).toMatch(/^HTTP\/1.1 400 /)
  })

  test('an upgrade to anything but a WebSocket is refused', async () => {
    const text = `GET /trpc HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${hub.bearer}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n`
    expect(await converse(hub.url, text)).toMatch(/^HTTP\/1.1 4\d\d /)
  })

  test('a WebSocket at another path is refused', async () => {
    for (const path of ['/', '/trpc/', '/trpc/x', '/health'])
      expect(await upgrade(hub.url, hub.headers, path)).toBe(404)
  })
})
