import { hostname, networkInterfaces } from 'node:os'
import { describe, expect, test } from 'vitest'
import { openHub, stockClient } from '../harness/hub.ts'
import { exchange } from '../harness/raw.ts'

const hasIpv6 = Object.values(networkInterfaces())
  .flat()
  .some((one) => one?.address === '::1')

describe('a hub that is bound to', () => {
  const cases: [string, boolean][] = [
    ['127.0.0.1', true],
    ['localhost', true],
    ['127.0.0.2', process.platform === 'linux'],
    ['::1', hasIpv6],
    ['::ffff:127.0.0.1', hasIpv6 && process.platform === 'linux'],
  ]
  test.each(cases.filter(([, works]) => works))(
    '%s is reached at the address that it tells',
    async (bind) => {
      await using hub = await openHub({ env: { CLAUDE_PEERS_BIND: bind } })
      expect(await stockClient(hub).hub.stats.query()).toMatchObject({ sockets: 0 })
    },
  )
})

const REMOTE = { 'x-forwarded-for': '100.64.0.7' }
const SHARED = 'the-token-of-the-fleet'

test('a hub is reached by the names of its machine, and by those of its settings', async () => {
  await using hub = await openHub({
    env: {
      CLAUDE_PEERS_HOST: 'Studio',
      CLAUDE_PEERS_HOSTS: 'peers.example.com',
      CLAUDE_PEERS_TOKEN: SHARED,
    },
  })
  const ask = (host: string) =>
    exchange(`${hub.url}/trpc/hub.stats`, { headers: { authorization: `Bearer ${SHARED}`, host, ...REMOTE } })
  for (const host of [
    'studio',
    'STUDIO:80',
    hostname(),
    hostname().split('.')[0]!,
    'peers.example.com',
    'peers.example.com.:443',
  ]) {
    expect((await ask(host)).status).toBe(200)
  }
  const unknown = await ask('studio.example.com')
  expect(unknown.status).toBe(421)
  expect(unknown.body).toContain('\\"hosts\\"')
})

describe('a hub whose address is not there yet', () => {
  test.each([
    ['because this machine does not have it', '192.0.2.1', 'EADDRNOTAVAIL'],
    ['because nobody knows its name', 'no-such-host.invalid', '(ENOTFOUND|EAI_AGAIN)'],
    [
      'because its name means this machine alone',
      'localhost.localdomain',
      '(127.0.0.1|::1|ENOTFOUND|EAI_AGAIN)',
    ],
  ])('%s serves its own machine, and says what is the matter', async (_, bind, words) => {
    await using hub = await openHub({ env: { CLAUDE_PEERS_BIND: bind } })
    expect(new URL(hub.url).hostname).toBe('127.0.0.1')
    const { reach } = await stockClient(hub).hub.stats.query()
    expect(reach.trouble).toMatch(new RegExp(`cannot listen at ${bind}:\\d+ now \\(.*${words}`))
    expect(reach.urls).toEqual([`http://${bind}:${new URL(hub.url).port}`])
    expect(hub.lines.filter((line) => line.level === 40).map((line) => line.msg)).toEqual([reach.trouble])
  })
})

test('a hub of this machine alone is not reached from elsewhere, and says so', async () => {
  await using hub = await openHub()
  const { reach } = await stockClient(hub).hub.stats.query()
  expect(reach).toEqual({ urls: [], trouble: null })
})
