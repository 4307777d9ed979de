import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { runHub, stockClient, takeSeat, type HubProcess } from '../harness/hub.ts'
import { createHome, type Home } from '../harness/home.ts'
import { converse, exchange } from '../harness/raw.ts'
import { waitFor } from '../harness/wait.ts'

// One real hub takes it all, and must stand at the end.
let home: Home
let hub: HubProcess
beforeAll(async () => {
  home = await createHome()
  hub = await runHub(home)
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
  await home[Symbol.asyncDispose]()
})
afterEach(async () => {
  const pid = await stockClient(hub)
    .hub.stats.query()
    .then(
      (stats) => stats.pid,
      () => undefined,
    )
  if (pid !== undefined) return
  // One harm is one failed test.
  hub = await runHub(home)
  throw new Error('the hub did not survive this')
})

const port = () => new URL(hub.url).port
const bearer = () => hub.headers['authorization']!
/** What no answer may hold: our files, a stack, SQL, an engine's words. */
const INTERNALS =
  /\/(tmp|root|home|work)\/|\bat [\w.]+ \(|node:|\.ts:\d|\.js:\d|sqlite|select |insert |drizzle|Unexpected token|SyntaxError/i

/** Opens a WebSocket by hand, and gives the status that refused it, or 101. */
function upgrade(headers: Record<string, string>, path = '/trpc'): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${hub.url.replace('http', 'ws')}${path}`, { headers })
    socket.on('open', () => {
      socket.terminate()
      resolve({ status: 101, body: '' })
    })
    socket.on('unexpected-response', (_, response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
      response.on('end', () => resolve({ status: response.statusCode!, body }))
    })
    socket.on('error', reject)
  })
}

describe('who may come in', () => {
  const cases: [string, () => Record<string, string>, number][] = [
    ['a foreign Host', () => ({ authorization: bearer(), host: 'evil.example' }), 421],
    [
      'a foreign Host that begins like ours',
      () => ({ authorization: bearer(), host: '127.0.0.1.evil.example' }),
      421,
    ],
    ['a Host with a user in it', () => ({ authorization: bearer(), host: `evil@127.0.0.1:${port()}` }), 421],
    ['a Host with a port that is none', () => ({ authorization: bearer(), host: 'localhost:99999' }), 421],
    ['a foreign Origin', () => ({ authorization: bearer(), origin: 'https://evil.example' }), 403],
    ['a web app on another port', () => ({ authorization: bearer(), origin: 'http://localhost:3000' }), 403],
    ['a sandboxed page', () => ({ authorization: bearer(), origin: 'null' }), 403],
    ['an empty Origin', () => ({ authorization: bearer(), origin: '' }), 403],
    ['no token', () => ({}), 401],
    ['a wrong token', () => ({ authorization: `Bearer ${'x'.repeat(43)}` }), 401],
    ['the token with one character more', () => ({ authorization: `${bearer()}x` }), 401],
    ['the beginning of the token', () => ({ authorization: bearer().slice(0, -1) }), 401],
    ['an empty token', () => ({ authorization: 'Bearer ' }), 401],
    ['a token of another scheme', () => ({ authorization: bearer().replace('Bearer', 'Basic') }), 401],
    ['a token longer than any', () => ({ authorization: `Bearer ${'x'.repeat(8_000)}` }), 401],
  ]
  test.each(cases)('%s is refused, over HTTP and at the upgrade', async (_, headers, status) => {
    const answer = await exchange(`${hub.url}/trpc/hub.stats`, { headers: headers() })
    expect(answer.status).toBe(status)
    expect(JSON.parse(answer.body)).toMatchObject({
      error: { message: expect.any(String), data: { httpStatus: status } },
    })
    expect(await upgrade(headers())).toMatchObject({ status })
  })

  test('a request without a Host is refused', async () => {
    expect(await converse(hub.url, `GET /health HTTP/1.1\r\nConnection: close\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 400 /,
    )
    expect(await converse(hub.url, `GET /health HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 421 /,
    )
    expect(await converse(hub.url, `GET /health HTTP/1.0\r\n\r\n`)).toMatch(/^HTTP\/1.1 421 /)
  })

  test('a foreign Host learns nothing, not even of the hub’s health', async () => {
    const answer = await exchange(`${hub.url}/health`, { headers: { host: 'evil.example' } })
    expect(answer.status).toBe(421)
    expect(answer.body).not.toContain('version')
  })

  test('whoever has no token may ask for the health, and for nothing beside it', async () => {
    expect(JSON.parse((await exchange(`${hub.url}/health`)).body)).toMatchObject({
      status: 'ok',
      name: 'claude-peers',
    })
    expect((await exchange(`${hub.url}/trpc/hub.health`)).status).toBe(200)
    for (const path of [
      'hub.health,hub.stats?batch=1',
      'hub%2Ehealth%2Chub.stats?batch=1',
      'hub.stop',
      'HUB.HEALTH',
      '',
    ]) {
      expect((await exchange(`${hub.url}/trpc/${path}`)).status).toBe(401)
    }
  })

  test('a client by any name of this machine comes in', async () => {
    for (const host of [
      `localhost:${port()}`,
      `127.0.0.1:${port()}`,
      `LocalHost:${port()}`,
      'localhost',
      `[::1]:${port()}`,
      `laptop:${port()}`,
    ]) {
      expect(
        (await exchange(`${hub.url}/trpc/hub.stats`, { headers: { authorization: bearer(), host } })).status,
      ).toBe(200)
      expect(await upgrade({ authorization: bearer(), host })).toMatchObject({ status: 101 })
    }
  })

  test('an Origin that is the hub itself comes in', async () => {
    const headers = { authorization: bearer(), origin: hub.url }
    expect((await exchange(`${hub.url}/trpc/hub.stats`, { headers })).status).toBe(200)
  })

  test('no answer allows another origin to read it', async () => {
    const preflight = await exchange(`${hub.url}/trpc/hub.stop`, {
      method: 'OPTIONS',
      headers: {
        origin: 'http://localhost:3000',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization',
      },
    })
    expect(preflight.status).toBe(403)
    const own = await exchange(`${hub.url}/trpc/hub.stats`, { headers: hub.headers })
    for (const { headers } of [preflight, own]) {
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([])
    }
  })

  test('a wrong mailbox key speaks for nobody', async () => {
    const seat = await takeSeat(hub, 'keyholder')
    for (const key of [
      `${seat.id}.wrong`,
      `${seat.id}.`,
      seat.id,
      `p_0000000000000.${seat.key.split('.')[1]}`,
      '__proto__.x',
      'x'.repeat(5_000),
    ]) {
      const headers = { ...hub.headers, 'x-claude-peers-key': key }
      await expect(stockClient({ url: hub.url, headers }).mailbox.peek.query()).rejects.toMatchObject({
        data: { code: 'UNAUTHORIZED' },
      })
    }
  })
})

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
    const text = `POST /trpc/messages.retract HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${bearer()}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`
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
    const inner = `POST /trpc/hub.stop HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${bearer()}\r\nContent-Length: 0\r\n\r\n`
    const outer = `POST /trpc/hub.stats HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${inner.length}\r\nConnection: close\r\n\r\n`
    const answers = await converse(hub.url, outer + inner)
    expect(answers.match(/HTTP\/1\.1 /g)).toHaveLength(1)
  })

  test('pipelined requests are answered in their order', async () => {
    const one = (path: string, last: boolean) =>
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${bearer()}\r\n${last ? 'Connection: close\r\n' : ''}\r\n`
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
    ['a URL of another host', 'http://evil.example/trpc/hub.health', 200],
    ['an asterisk', '*', 400],
  ])('%s is answered with an error', async (_, path, status) => {
    const request = `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${bearer()}\r\nConnection: close\r\n\r\n`
    const answer = await converse(hub.url, request)
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    const body = answer.slice(answer.indexOf('\r\n\r\n') + 4)
    expect(() => JSON.parse(body)).not.toThrow()
    expect(body.replaceAll(decodeURI('/etc/passwd'), '')).not.toMatch(INTERNALS)
  })

  test.each(['//[', 'http://localhost:99999999/trpc'])(
    'an upgrade at %s is answered with an error',
    async (path) => {
      const request = `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${bearer()}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`
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
    const text = `GET /trpc HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${bearer()}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n`
    expect(await converse(hub.url, text)).toMatch(/^HTTP\/1.1 4\d\d /)
  })

  test('a WebSocket at another path is refused', async () => {
    for (const path of ['/', '/trpc/', '/trpc/x', '/health'])
      expect(await upgrade(hub.headers, path)).toMatchObject({ status: 404 })
  })
})

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
    const head = `GET /trpc HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${bearer()}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`
    // An unmasked text frame: a server must fail the connection (RFC 6455, 5.1).
    expect(await converse(hub.url, `${head}\u0081\u0001x`)).toMatch(/^HTTP\/1.1 101 /)
  })
})
