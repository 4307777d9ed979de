import { once } from 'node:events'
import type { Socket } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { WebSocketServer, type WebSocket } from 'ws'
import { takeSeat } from '../harness/hub.ts'
import { dial } from '../harness/raw.ts'
import { openServer } from '../harness/server.ts'
import { waitFor } from '../harness/wait.ts'

afterEach(() => vi.restoreAllMocks())

/** The hub's own ends of its WebSockets, as they come. */
function spyOnSockets(): WebSocket[] {
  const sockets: WebSocket[] = []
  const original = WebSocketServer.prototype.handleUpgrade
  vi.spyOn(WebSocketServer.prototype, 'handleUpgrade').mockImplementation(function (
    this: WebSocketServer,
    request,
    socket,
    head,
    done,
  ) {
    original.call(this, request, socket, head, (client, upgraded) => {
      sockets.push(client)
      done(client, upgraded)
    })
  })
  return sockets
}

/** Subscribes over a raw connection. The frame is masked with zeros, so its text stays readable. */
async function subscribe(
  hub: { url: string; token: string },
  path: string,
  headers = '',
): Promise<Socket & { text(): string }> {
  const socket = dial(
    hub.url,
    `GET /trpc HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${hub.token}\r\n${headers}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
  )
  const text = JSON.stringify({ id: 1, method: 'subscription', params: { path } })
  socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]))
  await waitFor(() => socket.text().includes('"started"'), 'the subscription')
  return socket
}

/** Whether something was said by now. It looks at each piece as it comes: all of the text is 80 MB. */
function hears(socket: Socket, wanted: string): () => boolean {
  let end = ''
  let heard = false
  socket.on('data', (piece: string) => {
    heard ||= (end + piece).includes(wanted)
    end = piece.slice(-wanted.length)
  })
  return () => heard
}

test('a subscriber that does not read costs the hub at most 1 MiB, however much changes', async () => {
  const ends = spyOnSockets()
  await using server = await openServer()
  server.serve()
  const { database } = server
  const stalled = await subscribe(server, 'peers.watch')
  stalled.pause()
  const seats = await Promise.all(
    Array.from({ length: 100 }, (_, index) =>
      takeSeat(server, `seat-${index}`, {
        directory: `/${'d'.repeat(4_000)}/${index}`,
        root: `/${'r'.repeat(4_000)}/${index}`,
      }),
    ),
  )

  let changes = 0
  let largest = 0
  // Each round is 150 KB on the wire, so all of them are 225 MB; the kernel takes some 10 MB of that.
  for (let round = 0; round < 1_500; round++) {
    await database.queue.run(() => {
      for (const { id } of seats) database.peers.setSummary(id, `${++changes} ${'☃'.repeat(480)}`)
    })
    // The feed reads and sends in the turns between.
    await new Promise((resolve) => setImmediate(resolve))
    largest = Math.max(largest, ends[0]!.bufferedAmount)
  }
  expect(largest).toBeGreaterThan(256 * 1_024)
  expect(largest).toBeLessThan(1_024 * 1_024)

  // Once it reads again it is told the newest state of each, not every state that there was.
  stalled.resume()
  await waitFor(() => stalled.text().includes(`${changes} ☃`), 'the newest change')
  stalled.destroy()
  await once(stalled, 'close')
})

test('a caller that does not read its answers is not read itself, until it does', async () => {
  const ends = spyOnSockets()
  await using server = await openServer()
  server.serve()
  const stalled = await subscribe(server, 'peers.watch')
  stalled.pause()
  const calls = Array.from({ length: 250 }, (_, id) => ({
    id: id + 10,
    method: 'query',
    params: { path: 'hub.health' },
  }))
  const frame = toFrame(JSON.stringify(calls))
  let largest = 0
  // Their answers are 20 MB; the kernel takes some 10 MB of that.
  for (let round = 0; round < 700; round++) {
    stalled.write(frame)
    await new Promise((resolve) => setImmediate(resolve))
    largest = Math.max(largest, ends[0]!.bufferedAmount)
  }
  expect(largest).toBeGreaterThan(256 * 1_024)
  expect(largest).toBeLessThan(2 * 1_024 * 1_024)
  expect(stalled.writableLength).toBeGreaterThan(0)

  stalled.resume()
  await waitFor(() => stalled.writableLength === 0, 'the rest of what it says')
  await waitFor(() => !ends[0]!.isPaused && ends[0]!.bufferedAmount === 0, 'the rest of the answers')
  stalled.destroy()
  await once(stalled, 'close')
})

test('large answers to the queries of one frame are made one after the other, as they are taken', async () => {
  const ends = spyOnSockets()
  await using server = await openServer({ sharedToken: 'fleet' })
  server.serve()
  for (let index = 0; index < 100; index++) {
    const directory = `/${'d'.repeat(4_000)}/${index}`
    await takeSeat(server, `seat-${index}`, { directory, root: `/${'r'.repeat(4_000)}/${index}` })
  }
  const remote = { url: server.url, token: 'fleet' }
  const caller = await subscribe(remote, 'messages.watch', 'X-Forwarded-For: 100.64.0.2\r\n')
  caller.pause()
  const isTold = hears(caller, '"id":109')
  // Each list is 800 KB, so all of them are 80 MB.
  const calls = Array.from({ length: 100 }, (_, id) => ({
    id: id + 10,
    method: 'query',
    params: { path: 'peers.list' },
  }))
  let largest = 0
  const timer = setInterval(() => (largest = Math.max(largest, ends[0]!.bufferedAmount)), 1)
  caller.write(toFrame(JSON.stringify(calls)))
  await waitFor(() => largest > 512 * 1_024, 'answers')
  caller.resume()
  await waitFor(isTold, 'all of the answers')
  clearInterval(timer)
  expect(largest).toBeLessThan(4 * 1_024 * 1_024)
  caller.destroy()
  await once(caller, 'close')
})

/** One text frame, masked with zeros. */
function toFrame(text: string): Buffer {
  const head = Buffer.from([0x81, 0x80 | 126, text.length >> 8, text.length & 0xff, 0, 0, 0, 0])
  return Buffer.concat([head, Buffer.from(text)])
}
