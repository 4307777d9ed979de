/** Requests that are cut, doubled or smuggled, as bytes on a socket. */
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { INTERNALS } from '../hub/one-hub.ts'
import { converse, dial } from '../harness/raw.ts'
import { openServer } from '../harness/server.ts'
import { waitFor } from '../harness/wait.ts'
import { MARK, SHARED, useFort } from './fort.ts'

const fort = useFort()

/** One request of raw lines; the connection ends after its answer. */
const say = (first: string, headers: string[] = [], body = '') =>
  converse(fort.url, [first, ...headers, 'Connection: close', '', body].join('\r\n'))
const own = () => ['Host: localhost', `Authorization: ${fort.bearer}`]
const json = (length: number) => ['Content-Type: application/json', `Content-Length: ${length}`]
const statuses = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status)

describe('a path', () => {
  test.each([
    ['with a climb', '/trpc/../../../../etc/passwd'],
    ['with an encoded climb', '/trpc/%2e%2e%2f%2e%2e%2fetc%2fpasswd'],
    ['with a climb encoded twice', '/trpc/%252e%252e%252fetc%252fpasswd'],
    ['with a backslash', '/trpc/..\\..\\etc\\passwd'],
    ['with an encoded slash', '/trpc%2fhub.stats'],
    ['with an encoded NUL', '/trpc/hub.stats%00.json'],
    ['with an encoded end of line', `/trpc/hub.stats%0d%0aSet-Cookie:%20${MARK}=1`],
    ['with a semicolon', '/trpc/hub.stats;.js'],
    ['with a doubled slash', '//trpc/hub.stats'],
    ['with half a character', '/trpc/%c3%28'],
    ['of a prototype', '/trpc/__proto__.__proto__'],
    ['of a getter', '/trpc/hub.constructor.prototype'],
  ])('%s names no procedure and no file', async (_, path) => {
    for (const who of [own(), ['Host: localhost']]) {
      const answer = await say(`GET ${path} HTTP/1.1`, who)
      expect(answer).toMatch(who.length === 1 ? /^HTTP\/1.1 401 / : /^HTTP\/1.1 404 /)
      expect(answer).not.toMatch(/^set-cookie/im)
      expect(answer.replaceAll('/etc/passwd', '')).not.toMatch(INTERNALS)
    }
  })

  test.each([
    ['a raw NUL', '/trpc/hub.stats\0'],
    ['a bare carriage return', '/trpc/hub.stats\rX: y'],
    ['a space', '/trpc/hub.stats /x'],
    ['no slash', 'trpc/hub.stats'],
    ['8-bit letters', '/trpc/hub.stats\u00e9\u0080'],
    ['nothing', ''],
  ])('with %s is refused', async (_, path) => {
    expect(await say(`GET ${path} HTTP/1.1`, own())).toMatch(/^HTTP\/1.1 (400|404) /)
  })

  test('of 20 KiB, and a thousand headers, are refused', async () => {
    expect(await say(`GET /${'x'.repeat(20_000)} HTTP/1.1`, own())).toMatch(/^HTTP\/1.1 431 /)
    const many = Array.from({ length: 3_000 }, (_, index) => `X-${index}: 1`)
    expect(await say('GET /health HTTP/1.1', [...own(), ...many])).toMatch(/^HTTP\/1.1 431 /)
  })
})

describe('a header', () => {
  test.each([
    ['Host', ['Host: localhost', 'Host: evil.example']],
    ['Host, twice the same', ['Host: localhost', 'host: localhost']],
    ['Authorization', ['Host: localhost', 'Authorization: Bearer wrong']],
  ])('that comes twice is refused: %s', async (_, more) => {
    const lines = [...more, `Authorization: ${fort.bearer}`]
    expect(await say('GET /trpc/hub.stats HTTP/1.1', lines)).toMatch(/^HTTP\/1.1 400 /)
  })

  test.each([
    ['a NUL in its value', 'X-Test: a\0b'],
    ['a bare carriage return in its value', 'X-Test: a\rAuthorization: Bearer x'],
    ['a space before its colon', 'Transfer-Encoding : chunked'],
    ['a folded value', 'X-Test: a\r\n b: c'],
    ['no name', ': value'],
    ['no colon', 'no colon'],
    ['an 8-bit name', 'X-\u00e9: 1'],
  ])('with %s is refused', async (_, line) => {
    expect(statuses(await say('GET /trpc/hub.stats HTTP/1.1', [...own(), line]))).toEqual(['400'])
  })

  test('that ends a line within the token opens nothing', async () => {
    const broken = `Authorization: Bearer x\r\n y\r\n${'z'.repeat(43)}`
    expect(await say('GET /trpc/hub.stats HTTP/1.1', ['Host: localhost', broken])).toMatch(
      /^HTTP\/1.1 40[01] /,
    )
  })

  test('of another key does not speak for two', async () => {
    const lines = [...own(), 'X-Claude-Peers-Key: p_1.a', 'X-Claude-Peers-Key: p_2.b']
    expect(await say('GET /trpc/mailbox.peek HTTP/1.1', lines)).toMatch(/^HTTP\/1.1 401 /)
  })
})

describe('a body whose end is in doubt (request smuggling)', () => {
  const inner = () => ['POST /trpc/hub.stop HTTP/1.1', ...own(), ...json(2), '', '{}'].join('\r\n')
  test.each([
    ['two lengths', ['Content-Length: 0', 'Content-Length: 5']],
    ['two equal lengths', ['Content-Length: 0', 'Content-Length: 0']],
    ['a list of lengths', ['Content-Length: 0, 5']],
    ['a length with a sign', ['Content-Length: +5']],
    ['a negative length', ['Content-Length: -1']],
    ['a length in hex', ['Content-Length: 0x5']],
    ['a length beyond all numbers', ['Content-Length: 99999999999999999999']],
    ['a length and chunks', ['Content-Length: 5', 'Transfer-Encoding: chunked']],
    ['chunks and a length', ['Transfer-Encoding: chunked', 'Content-Length: 5']],
    ['chunks that are none', ['Transfer-Encoding: xchunked']],
    ['chunks under two names', ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity']],
    ['chunks behind a tab', ['Transfer-Encoding:\tchunked', 'Content-Length: 5']],
  ])('%s is refused, and nothing behind it is taken for a request', async (_, lengths) => {
    const lines = [...own(), 'Content-Type: application/json', ...lengths]
    const answer = await converse(
      fort.url,
      ['POST /trpc/hub.stats HTTP/1.1', ...lines, '', inner()].join('\r\n'),
    )
    expect(statuses(answer)).toEqual(['400'])
  })

  test.each([
    ['a size that is none', 'zz\r\n{}\r\n0\r\n\r\n'],
    ['a size beyond all numbers', 'fffffffffffffffff\r\n{}\r\n0\r\n\r\n'],
    ['a chunk longer than its size', '1\r\n{}\r\n0\r\n\r\n'],
    ['an extension that ends a line', '2;a=\n\r\n{}\r\n0\r\n\r\n'],
  ])('chunks with %s are refused', async (_, body) => {
    const lines = [...own(), 'Content-Type: application/json', 'Transfer-Encoding: chunked']
    const answer = await say('POST /trpc/messages.retract HTTP/1.1', lines, body)
    expect(statuses(answer)[0] ?? '400').toMatch(/^40[01]$/)
    expect(statuses(answer).length).toBeLessThanOrEqual(1)
  })
})

describe('what is no request of ours', () => {
  test.each([
    ['a method that is none', 'HUB /health HTTP/1.1'],
    ['a tunnel', 'CONNECT evil.example:443 HTTP/1.1'],
    ['HTTP/3.0', 'GET /health HTTP/3.0'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM'],
    ['a mail', 'EHLO evil.example'],
    ['TLS', `\u0016\u0003\u0001${randomBytes(64).toString('latin1')}`],
  ])('%s is refused', async (_, first) => {
    const answer = await say(first, ['Host: localhost'])
    expect(answer === '' || /^HTTP\/1.1 40[015] /.test(answer)).toBe(true)
    expect(answer).not.toMatch(INTERNALS)
  })
})

test('a request of HTTP/0.9, which has no Host, is refused', async () => {
  expect(await converse(fort.url, 'GET /health\r\n\r\n')).toMatch(/^HTTP\/1.1 421 /)
})

describe('a client that never ends its sentence (slow loris)', () => {
  const limits = { headersTimeout: 150, requestTimeout: 300, connectionsCheckingInterval: 20 }
  const opened = async () => {
    const server = await openServer({ limits })
    server.serve()
    return server
  }

  test.each([
    ['nothing at all', ''],
    ['its request line', 'GET /hea'],
    ['its headers', 'GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\n'],
    [
      'its body',
      'POST /trpc/hub.stop HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer a-token-of-this-test\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{',
    ],
  ])('is hung up on in the middle of %s', async (_, bytes) => {
    await using server = await opened()
    const answer = await converse(server.url, bytes)
    expect(answer === '' || answer.startsWith('HTTP/1.1 408 ')).toBe(true)
  })

  test('two hundred times over holds nobody else up, and none of them stays', async () => {
    await using server = await opened()
    const slow = Array.from({ length: 200 }, () => dial(server.url, 'GET /health HTTP/1.1\r\nHost: l'))
    const drip = setInterval(() => {
      for (const socket of slow) if (!socket.destroyed) socket.write('X')
    }, 10)
    const answer = await converse(
      server.url,
      'GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    )
    expect(answer).toMatch(/^HTTP\/1.1 200 /)
    await waitFor(() => slow.every((socket) => socket.destroyed), 'the end of all of them')
    clearInterval(drip)
  })
})

describe('a WebSocket', () => {
  const key = () => randomBytes(16).toString('base64')
  const head = (authorization: string, ...more: string[]) =>
    [
      'GET /trpc HTTP/1.1',
      'Host: localhost',
      `Authorization: ${authorization}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${key()}`,
      ...more,
      '',
      '',
    ].join('\r\n')
  const frame = (first: number, length: number[], payload = '') =>
    Buffer.concat([Buffer.from([first, ...length, 0, 0, 0, 0]), Buffer.from(payload)]).toString('latin1')

  test.each([
    ['a frame of 4 GiB', frame(0x81, [0xff, 0, 0, 0, 1, 0, 0, 0, 0])],
    ['a frame longer than any number', frame(0x81, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
    ['a frame with reserved bits', frame(0xf1, [0x81], 'x')],
    ['a frame of no kind', frame(0x83, [0x81], 'x')],
    ['a ping that is too long', frame(0x89, [0xfe, 0, 200], 'x'.repeat(200))],
    ['a ping in pieces', frame(0x09, [0x81], 'x')],
    ['a piece of nothing', frame(0x80, [0x81], 'x')],
    ['text that is no UTF-8', frame(0x81, [0x82], '').concat('\u00c3\u0028')],
    ['a close of one byte', frame(0x88, [0x81], 'x')],
  ])('that gets %s is closed', async (_, bytes) => {
    const socket = dial(fort.url, head(fort.bearer))
    await waitFor(() => socket.text().startsWith('HTTP/1.1 101 '), 'the upgrade')
    socket.write(Buffer.from(bytes, 'latin1'))
    await waitFor(() => socket.destroyed, 'the end')
    expect(socket.text()).not.toMatch(INTERNALS)
  })

  test.each([
    ['a key that is none', ['Sec-WebSocket-Key: x']],
    ['an old version', ['Sec-WebSocket-Version: 7']],
    [
      'an extension that eats memory',
      ['Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99999'],
    ],
  ])('with %s is opened in no other way than it says, or not at all', async (_, more) => {
    const socket = dial(fort.url, head(fort.bearer, ...more))
    const answer = await waitFor(() => socket.text() || undefined, 'an answer')
    expect(answer).toMatch(/^HTTP\/1.1 (101|400|426) /)
    expect(answer).not.toMatch(/permessage-deflate/i)
    socket.destroy()
  })

  test('is not opened by a token in its URL or its protocol', async () => {
    for (const [target, more] of [
      [`/trpc?token=${SHARED}`, []],
      [`/trpc?connectionParams=1&authorization=Bearer%20${SHARED}`, []],
      ['/trpc', [`Sec-WebSocket-Protocol: bearer, ${SHARED}`]],
    ] as [string, string[]][]) {
      const text = head('Bearer wrong', ...more)
        .replace('/trpc ', `${target} `)
        .replace(/Authorization.*\r\n/, '')
      expect(await converse(fort.url, text)).toMatch(/^HTTP\/1.1 401 /)
    }
  })
})
