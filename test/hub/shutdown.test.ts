import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { readIdentity, readProcess } from '../../lib/machine/processes.ts'
import { runHub, stockClient, takeSeat, type HubProcess } from '../harness/hub.ts'
import { createHome } from '../harness/home.ts'
import { dial } from '../harness/raw.ts'
import { waitFor } from '../harness/wait.ts'

/** Much more than the second that calls under way may take, much less than the patience of any client. */
const SOON_MS = 5_000

async function endSoon(hub: HubProcess): Promise<boolean> {
  const started = Date.now()
  expect(await hub.exited).toBe(0)
  return Date.now() - started < SOON_MS
}

const toHead = (path: string, ...more: string[]) =>
  `${[`GET ${path} HTTP/1.1`, 'Host: localhost', ...more].join('\r\n')}\r\n\r\n`
const toUpgrade = (token: string) =>
  toHead(
    '/trpc',
    `Authorization: Bearer ${token}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  )
const halfOpen = { allowHalfOpen: true }

// Each has a hub of its own and waits more than it works.
describe.concurrent('a hub that is asked to end', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    'by %s closes its WebSockets with 1012 and its database in order, and takes its rendezvous away',
    async (signal) => {
      await using home = await createHome()
      await using hub = await runHub(home)
      await takeSeat(hub, 'api')
      const socket = new WebSocket(`${hub.url.replace('http', 'ws')}/trpc`, { headers: hub.headers })
      let code: number | undefined
      socket.on('close', (closed) => (code = closed))
      await waitFor(() => socket.readyState === socket.OPEN, 'the socket')
      socket.send('{"id":1,"method":"subscription","params":{"path":"peers.watch"}}')
      hub.kill(signal)
      expect(await endSoon(hub)).toBe(true)
      expect(await waitFor(() => code, 'the socket to be closed')).toBe(1012)
      expect(existsSync(join(home.path, '.claude-peers/hub.json'))).toBe(false)
      const files = readdirSync(home.path)
      expect(files).toContain('.claude-peers.db')
      // SQLite removes its log when the last connection closes in order.
      expect(files).not.toContain('.claude-peers.db-wal')
    },
  )

  const holds: [string, (hub: HubProcess) => void][] = [
    ['a kept connection', ({ url }) => dial(url, toHead('/health'))],
    ['a connection that says nothing', ({ url }) => dial(url, '')],
    ['a request whose head never ends', ({ url }) => dial(url, 'GET /health HTTP/1.1\r\nHost: local')],
    [
      'a request whose body never ends',
      ({ url, token }) =>
        dial(
          url,
          `${toHead('/trpc/hub.stop', `Authorization: Bearer ${token}`, 'Content-Type: application/json', 'Content-Length: 9').replace('GET', 'POST')}{`,
        ),
    ],
    [
      'a refused request whose body never ends',
      ({ url }) =>
        dial(url, `${toHead('/trpc/hub.stop', 'Content-Length: 9').replace('GET', 'POST')}{`, halfOpen),
    ],
    ['a refused upgrade whose client stays', ({ url }) => dial(url, toUpgrade('wrong'), halfOpen)],
    ['a WebSocket that never answers', ({ url, token }) => dial(url, toUpgrade(token), halfOpen)],
    ['a WebSocket that never reads', ({ url, token }) => dial(url, toUpgrade(token), halfOpen).pause()],
  ]
  test.each(holds)('is not held by %s', async (_, hold) => {
    await using home = await createHome()
    await using hub = await runHub(home)
    hold(hub)
    await stockClient(hub).hub.stats.query()
    hub.kill('SIGTERM')
    expect(await endSoon(hub)).toBe(true)
  })

  test('twice does its work once, and to the end', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    dial(hub.url, toUpgrade(hub.token), halfOpen)
    await waitFor(async () => (await stockClient(hub).hub.stats.query()).sockets === 1, 'the socket')
    for (const signal of ['SIGTERM', 'SIGTERM', 'SIGINT'] as const) hub.kill(signal)
    expect(await endSoon(hub)).toBe(true)
    expect(existsSync(join(home.path, '.claude-peers/hub.json'))).toBe(false)
  })

  test('by its terminal, ends if it is in the foreground, and goes on if it is not', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    hub.kill('SIGHUP')
    expect(await stockClient(hub).hub.stats.query()).toMatchObject({ pid: hub.pid })
    hub.kill('SIGTERM')
    await hub.exited
    await using visible = await runHub(home, { args: ['--foreground'] })
    visible.kill('SIGHUP')
    expect(await endSoon(visible)).toBe(true)
    expect(visible.stderr()).toContain('hub stops')
  })

  test('by the call of a holder of this machine’s token ends after its answer', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    expect(await stockClient(hub).hub.stop.mutate({ reason: 'asked' })).toEqual(readIdentity(hub.pid))
    expect(await endSoon(hub)).toBe(true)
    await using next = await runHub(home)
    expect(await stockClient(next).hub.stop.mutate()).toMatchObject({ pid: next.pid })
    expect(await endSoon(next)).toBe(true)
  })

  test('as another process than it is goes on, and says so', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    const { stop, stats } = stockClient(hub).hub
    for (const process of [{ pid: hub.pid, start: 'before' }, { pid: hub.pid + 1 }])
      await expect(stop.mutate({ reason: 'asked', process })).rejects.toMatchObject({
        message: expect.stringContaining(`Another hub serves here by now (pid ${hub.pid})`),
        data: { code: 'CONFLICT' },
      })
    expect(await stats.query()).toMatchObject({ pid: hub.pid, start: readProcess(hub.pid)!.start })
  })

  test('by the token of a fleet goes on', async () => {
    await using home = await createHome()
    await using hub = await runHub(home, { env: { CLAUDE_PEERS_TOKEN: 'the-token-of-the-fleet' } })
    const fleet = stockClient({ url: hub.url, headers: { authorization: 'Bearer the-token-of-the-fleet' } })
    expect(await fleet.hub.stats.query()).toMatchObject({ pid: hub.pid })
    await expect(fleet.hub.stop.mutate()).rejects.toMatchObject({
      message: expect.stringContaining('on its own machine'),
      data: { code: 'FORBIDDEN' },
    })
    expect(await stockClient(hub).hub.stats.query()).toMatchObject({ pid: hub.pid })
  })
})

test('a hub that is killed leaves what the next one needs: it serves the same mail', async () => {
  await using home = await createHome()
  await using hub = await runHub(home)
  const [web, api] = [await takeSeat(hub, 'web'), await takeSeat(hub, 'api')]
  const draft = { to: 'api', message: 'kept', idempotencyKey: 'kept-one' }
  const { messageId } = await web.client.messages.send.mutate(draft)
  hub.kill('SIGKILL')
  expect(await hub.exited).toBe('SIGKILL')
  await using next = await runHub(home)
  const again = stockClient({ url: next.url, headers: api.headers })
  expect((await again.mailbox.peek.query()).messages).toMatchObject([{ id: messageId, text: 'kept' }])
})
