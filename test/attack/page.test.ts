/** What a web page can send to a hub, from a browser on its machine or on another. */
import { describe, expect, test } from 'vitest'
import { upgrade } from '../hub/one-hub.ts'
import { converse, exchange } from '../harness/raw.ts'
import { FROM_ELSEWHERE, SHARED, useFort } from './fort.ts'

const fort = useFort()
const shared = { authorization: `Bearer ${SHARED}`, ...FROM_ELSEWHERE }

const ORIGINS = [
  'https://evil.example',
  'http://localhost:3000',
  'http://127.0.0.1',
  'null',
  'file://',
  'chrome-extension://abcdefgh',
  'http://evil.example:7899',
  '',
  'http://[',
]

describe('a page of another origin', () => {
  test.each(ORIGINS)('%j gets nothing by HTTP and no WebSocket, with or without a token', async (origin) => {
    for (const headers of [{ origin }, { origin, ...fort.headers }, { origin, ...shared }]) {
      const refusals = 'x-forwarded-for' in headers || !('authorization' in headers) ? [403, 401] : [403]
      for (const path of ['/trpc/hub.stats', '/trpc/peers.list', '/health', '/']) {
        const answer = await exchange(fort.url + path, { headers })
        expect(refusals).toContain(answer.status)
        expect(answer.body).not.toMatch(/"version"|"result"/)
        expect(answer.headers).not.toHaveProperty('access-control-allow-origin')
      }
      expect(refusals).toContain(await upgrade(fort.url, headers))
    }
  })

  test('is not let in by a preflight', async () => {
    for (const more of [{}, FROM_ELSEWHERE]) {
      const { status, headers } = await exchange(`${fort.url}/trpc/messages.send`, {
        method: 'OPTIONS',
        headers: {
          origin: 'https://evil.example',
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization,content-type,x-claude-peers-key',
          'access-control-request-private-network': 'true',
          ...more,
        },
      })
      expect([401, 403]).toContain(status)
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([])
    }
  })
})

describe('a form of a page, which needs no preflight', () => {
  const TYPES = [
    ['text/plain', '{"reason":"asked"}'],
    ['application/x-www-form-urlencoded', '%7B%22reason%22=%22asked%22%7D'],
    ['multipart/form-data; boundary=x', '--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n{}\r\n--x--'],
  ] as const
  test.each(TYPES)('as %s does nothing, with whatever token', async (type, body) => {
    for (const headers of [{}, fort.headers, shared, fort.machineHeaders]) {
      const answer = await exchange(`${fort.url}/trpc/hub.stop`, {
        method: 'POST',
        headers: { ...headers, 'content-type': type },
        body,
      })
      expect(answer.status).toBe('authorization' in headers ? 415 : 401)
    }
  })

  test.each(['img', 'script', 'navigation'])(
    'as a GET of a change, by %s, does nothing',
    async (destination) => {
      const headers = { ...fort.headers, 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': destination }
      for (const path of ['hub.stop', 'hub.stop?input=%7B%7D', 'hub.health,hub.stop?batch=1&input=%7B%7D']) {
        const answer = await exchange(`${fort.url}/trpc/${path}`, { headers })
        expect(answer.body).toContain('is a mutation: use POST')
      }
    },
  )
})

/** As UTF-8 it vanishes in some readings of a name, and leaves one of ours. */
const SOFT_HYPHEN = 'local\u00adhost'

describe('a name that an attacker points at the hub (DNS rebinding)', () => {
  const HOSTS = [
    'evil.example',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    '127.0.0.1.nip.io',
    'evil.example#127.0.0.1',
    'evil.example@127.0.0.1',
    '127.0.0.1@evil.example',
    'localhost:80:80',
    SOFT_HYPHEN,
    '2130706433.evil.example',
    '0.0.0.0',
    '[::]',
    '[::ffff:0.0.0.0]',
  ]
  test.each(HOSTS)('%j opens nothing', async (name) => {
    const host = Buffer.from(name, 'utf8').toString('latin1')
    for (const headers of [{}, fort.headers, { origin: `http://${name}` }]) {
      for (const suffix of ['', `:${fort.port}`]) {
        const answer = await exchange(`${fort.url}/trpc/hub.stats`, {
          headers: { ...headers, host: host + suffix },
        }).catch((cause: Error) => ({ status: 0, body: cause.message }))
        expect([0, 400, 421]).toContain(answer.status)
      }
    }
  })

  test.each(HOSTS.filter((name) => name !== SOFT_HYPHEN))('%j opens no WebSocket', async (host) => {
    expect([400, 421]).toContain(await upgrade(fort.url, { ...fort.headers, host }))
  })

  test('opens nothing to a right token from elsewhere either, which hears why', async () => {
    for (const headers of [shared, fort.machineHeaders]) {
      const answer = await exchange(`${fort.url}/trpc/hub.stats`, {
        headers: { ...headers, host: 'evil.example' },
      })
      expect(answer.status).toBe(421)
      expect(answer.body).toContain('~/.claude-peers.json')
    }
  })

  test('in the request line opens nothing', async () => {
    for (const target of [
      'http://evil.example/health',
      'https://evil.example:443/trpc/hub.stats',
      'ws://evil.example/trpc',
    ]) {
      const text = `GET ${target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${fort.bearer}\r\nConnection: close\r\n\r\n`
      expect(await converse(fort.url, text)).toMatch(/^HTTP\/1.1 400 /)
    }
  })
})
