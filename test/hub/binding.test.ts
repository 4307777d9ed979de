import { hostname, networkInterfaces } from 'node:os'
import { describe, expect, test } from 'vitest'
import { createGuard } from '../../apps/hub/guard.ts'
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

test('a hub is reached by the names of its machine', async () => {
  await using hub = await openHub({ env: { CLAUDE_PEERS_HOST: 'Studio' } })
  for (const host of ['studio', 'STUDIO:80', hostname(), hostname().split('.')[0]!]) {
    const { status } = await exchange(`${hub.url}/trpc/hub.stats`, { headers: { ...hub.headers, host } })
    expect(status).toBe(200)
  }
})

describe('the guard', () => {
  const headers = (more: Record<string, string>) => ({ headers: { host: 'localhost', ...more } }) as never
  const toGuard = (sharedToken?: string) =>
    createGuard({ localToken: 'local', sharedToken, findToken: () => undefined, hosts: [] })

  test('tells the token of this machine from that of a fleet', () => {
    const check = toGuard('shared')
    const caller = (token: string) => check(headers({ authorization: `Bearer ${token}` }), { open: false })
    expect(caller('local')).toEqual({ allowed: true, caller: { kind: 'local' } })
    expect(caller('shared')).toEqual({ allowed: true, caller: { kind: 'fleet' } })
    expect(caller('other')).toMatchObject({ allowed: false, status: 401 })
  })

  test('lets nobody in by a fleet’s token when there is none', () => {
    for (const sharedToken of [undefined, '']) {
      const check = toGuard(sharedToken)
      for (const token of ['', 'undefined', 'null']) {
        expect(check(headers({ authorization: `Bearer ${token}` }), { open: false })).toMatchObject({
          status: 401,
        })
      }
    }
  })

  test('refuses a wrong token also where none is needed', () => {
    const check = toGuard()
    expect(check(headers({}), { open: true })).toEqual({ allowed: true, caller: { kind: 'nobody' } })
    expect(check(headers({ authorization: 'Bearer wrong' }), { open: true })).toMatchObject({ status: 401 })
  })
})
