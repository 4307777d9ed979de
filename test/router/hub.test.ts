import { describe, expect, test } from 'vitest'
import { draft, FLEET, openRouter } from '../harness/router.ts'

test('hub.health tells that this is a hub, its version and its protocol', async () => {
  const { call } = openRouter()
  expect(await call({ caller: { kind: 'nobody' } }).hub.health()).toEqual({
    status: 'ok',
    name: 'claude-peers',
    version: '9.8.7',
    protocol: 1,
  })
})

test('hub.stats counts peers and mail', async () => {
  const { call, seat } = openRouter()
  const web = await seat('web')
  await seat('api', { online: false })
  await web.caller.messages.send(draft('api'))
  expect(await call().hub.stats()).toEqual({
    version: '9.8.7',
    pid: 4711,
    startedAt: 1,
    sockets: 2,
    reach: { urls: ['http://studio:7899'], trouble: null },
    peers: { online: 1, known: 2 },
    deliveries: { queued: 1, offered: 0, settled: 0 },
  })
})

describe('hub.stop', () => {
  test('is for holders of this machine’s token', async () => {
    const { call, stops } = openRouter()
    expect(await call().hub.stop()).toEqual({ pid: 4711 })
    expect(await call().hub.stop({ reason: 'handover' })).toEqual({ pid: 4711 })
    expect(stops).toEqual(['asked', 'handover'])
  })

  test('is refused to everybody else, with where to do it', async () => {
    const { call, seat, stops } = openRouter()
    const { key } = await seat('web')
    for (const caller of [call({ caller: FLEET }), call({ caller: FLEET, key })]) {
      await expect(caller.hub.stop()).rejects.toMatchObject({
        code: 'FORBIDDEN',
        message: 'A hub is stopped on its own machine: run `claude-peers stop` there.',
      })
    }
    expect(stops).toEqual([])
  })
})
