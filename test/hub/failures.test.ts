import { createWSClient, createTRPCClient, wsLink } from '@trpc/client'
import { describe, expect, test } from 'vitest'
import type { AppRouter } from '../../lib/router/router.ts'
import { WebSocket } from 'ws'
import { openHub, socketWith, stockClient } from '../harness/hub.ts'
import { dial, exchange } from '../harness/raw.ts'
import { openServer } from '../harness/server.ts'
import { waitFor } from '../harness/wait.ts'

describe('when the database fails under the hub', () => {
  const PUBLIC =
    'The hub failed at this call; its log (~/.claude-peers/hub.log) says why. Nothing that was acknowledged is lost.'

  test('a call over HTTP is answered with where to look, and the log says why', async () => {
    await using server = await openServer()
    const { headers } = server
    server.serve()
    server.breakDatabase()
    const answer = await exchange(`${server.url}/trpc/peers.list`, { headers })
    expect(answer.status).toBe(500)
    expect(JSON.parse(answer.body)).toEqual({
      error: {
        message: PUBLIC,
        code: -32_603,
        data: { code: 'INTERNAL_SERVER_ERROR', httpStatus: 500, path: 'peers.list' },
      },
    })
    expect(server.lines).toContainEqual(
      expect.objectContaining({
        msg: 'call failed',
        path: 'peers.list',
        err: expect.objectContaining({ stack: expect.stringContaining('database connection is not open') }),
      }),
    )
  })

  test('a write is answered in the same way', async () => {
    await using server = await openServer()
    const { headers } = server
    server.serve()
    server.breakDatabase()
    const registration = {
      machine: { id: 'machine-1', host: 'laptop' },
      directory: '/a',
      root: '/a',
      isRepo: false,
      summary: '',
    }
    await expect(
      stockClient({ url: server.url, headers }).peers.register.mutate(registration),
    ).rejects.toMatchObject({ message: PUBLIC })
  })

  test('a call and a feed over the WebSocket are answered in the same way', async () => {
    await using server = await openServer()
    const { headers } = server
    server.serve()
    server.breakDatabase()
    const socket = createWSClient({
      url: `${server.url.replace('http', 'ws')}/trpc`,
      WebSocket: socketWith(headers),
    })
    const client = createTRPCClient<AppRouter>({ links: [wsLink({ client: socket })] })
    await expect(client.peers.list.query()).rejects.toMatchObject({ message: PUBLIC })
    const { promise, resolve } = Promise.withResolvers<unknown>()
    client.peers.watch.subscribe(undefined, { onError: resolve })
    const error = (await promise) as { message: string; data: object }
    expect(error.message).toBe(PUBLIC)
    expect(JSON.stringify(error.data)).not.toMatch(/stack|sqlite|\.ts/)
    await socket.close()
  })
})

test('a machine whose token cannot be looked up is asked to come again, and the log says why', async () => {
  await using server = await openServer()
  server.serve()
  server.breakDatabase()
  const headers = { authorization: `Bearer m_${'0'.repeat(13)}.${'x'.repeat(43)}` }
  expect((await exchange(`${server.url}/trpc/hub.stats`, { headers })).status).toBe(503)
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/trpc`, { headers })
  const refused = await new Promise<Error>((resolve) => socket.on('error', resolve))
  expect(refused.message).toContain('503')
  expect(server.lines.filter((line) => line.msg === 'a request was not checked')).toHaveLength(1)
})

test('before it serves, the hub lets nobody but its own clients know that it is there', async () => {
  await using server = await openServer()
  const { headers } = server
  const own = await exchange(`${server.url}/trpc/hub.stats`, { headers })
  expect(own.status).toBe(503)
  expect(JSON.parse(own.body)).toMatchObject({
    error: { message: expect.stringContaining('try again'), data: { code: 'SERVICE_UNAVAILABLE' } },
  })
  expect((await exchange(`${server.url}/health`)).status).toBe(503)
  expect((await exchange(`${server.url}/trpc/hub.stats`)).status).toBe(401)
  expect(
    (await exchange(`${server.url}/trpc/hub.stats`, { headers: { ...headers, host: 'evil.example' } }))
      .status,
  ).toBe(421)
  await expect(stockClient({ url: server.url, headers }).hub.stats.query()).rejects.toThrow('try again')
})

test('every answer tells the version of the hub', async () => {
  await using server = await openServer()
  server.serve()
  for (const path of ['/health', '/nothing', '/trpc/hub.health', '/trpc/hub.stats']) {
    expect((await exchange(server.url + path)).headers['x-claude-peers-version']).toBe('1.2.3')
  }
})

test('a client that hangs up in the middle of a call is no failure of the hub', async () => {
  await using hub = await openHub()
  const head = `POST /trpc/hub.stop HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${hub.token}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"reason`
  const socket = dial(hub.url, head)
  await waitFor(() => socket.bytesWritten >= head.length, 'the beginning to be sent')
  await stockClient(hub).hub.stats.query()
  socket.destroy()
  await stockClient(hub).hub.stats.query()
  await hub.stop()
  expect(hub.lines.filter((line) => line.level >= 50)).toEqual([])
  expect(hub.asked).toEqual([])
})
