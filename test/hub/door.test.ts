import { describe, expect, test } from 'vitest'
import { stockClient, takeSeat } from '../harness/hub.ts'
import { converse, exchange } from '../harness/raw.ts'
import { upgrade, useOneHub } from './one-hub.ts'

const hub = useOneHub()

describe('who may come in', () => {
  const cases: [string, () => Record<string, string>, number][] = [
    ['a foreign Host', () => ({ authorization: hub.bearer, host: 'evil.example' }), 421],
    [
      'a foreign Host that begins like ours',
      () => ({ authorization: hub.bearer, host: '127.0.0.1.evil.example' }),
      421,
    ],
    [
      'a Host with a user in it',
      () => ({ authorization: hub.bearer, host: `evil@127.0.0.1:${hub.port}` }),
      421,
    ],
    ['a Host with a port that is none', () => ({ authorization: hub.bearer, host: 'localhost:99999' }), 421],
    ['a foreign Origin', () => ({ authorization: hub.bearer, origin: 'https://evil.example' }), 403],
    [
      'a web app on another port',
      () => ({ authorization: hub.bearer, origin: 'http://localhost:3000' }),
      403,
    ],
    ['a sandboxed page', () => ({ authorization: hub.bearer, origin: 'null' }), 403],
    ['an empty Origin', () => ({ authorization: hub.bearer, origin: '' }), 403],
    ['no token', () => ({}), 401],
    ['a wrong token', () => ({ authorization: `Bearer ${'x'.repeat(43)}` }), 401],
    ['the token with one character more', () => ({ authorization: `${hub.bearer}x` }), 401],
    ['the beginning of the token', () => ({ authorization: hub.bearer.slice(0, -1) }), 401],
    ['an empty token', () => ({ authorization: 'Bearer ' }), 401],
    ['a token of another scheme', () => ({ authorization: hub.bearer.replace('Bearer', 'Basic') }), 401],
    ['a token longer than any', () => ({ authorization: `Bearer ${'x'.repeat(8_000)}` }), 401],
  ]
  test.each(cases)('%s is refused, over HTTP and at the upgrade', async (_, headers, status) => {
    const answer = await exchange(`${hub.url}/trpc/hub.stats`, { headers: headers() })
    expect(answer.status).toBe(status)
    expect(JSON.parse(answer.body)).toMatchObject({
      error: { message: expect.any(String), data: { httpStatus: status } },
    })
    expect(await upgrade(hub.url, headers())).toBe(status)
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

  test('a client by any name that means this machine alone comes in', async () => {
    for (const host of [
      `localhost:${hub.port}`,
      `127.0.0.1:${hub.port}`,
      `LocalHost:${hub.port}`,
      'localhost',
      'localhost.',
      `[::1]:${hub.port}`,
    ]) {
      expect(
        (await exchange(`${hub.url}/trpc/hub.stats`, { headers: { authorization: hub.bearer, host } }))
          .status,
      ).toBe(200)
      expect(await upgrade(hub.url, { authorization: hub.bearer, host })).toBe(101)
    }
  })

  test.each([
    ['by a name that other machines use', { host: 'laptop' }],
    ['through a proxy of today', { forwarded: 'for=100.64.0.7' }],
    ['through a proxy', { 'x-forwarded-for': '100.64.0.7' }],
    ['through `tailscale serve`', { 'tailscale-user-login': 'me@example.com' }],
  ])('a client %s is one of another machine: the token of this one does not open', async (_, headers) => {
    const sent: Record<string, string> = { authorization: hub.bearer, ...headers }
    for (const path of ['/trpc/hub.stats', '/health', '/trpc/hub.health', '/nothing']) {
      const answer = await exchange(hub.url + path, { headers: sent })
      expect(answer.status).toBe(403)
      expect(answer.body).toContain('remote access is off')
      expect(answer.headers).not.toHaveProperty('x-claude-peers-version')
    }
    expect(await upgrade(hub.url, sent)).toBe(403)
  })

  test('an Origin that is the hub itself comes in', async () => {
    const headers = { authorization: hub.bearer, origin: hub.url }
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
