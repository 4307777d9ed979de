/** What the hub says on a WebSocket, beside what tRPC's own adapter says of the same router on the same database. */
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { getWSConnectionHandler } from '@trpc/server/adapters/ws'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { MAX_BATCH } from '../../apps/hub/http.ts'
import { createSockets } from '../../apps/hub/sockets.ts'
import type { Context } from '../../lib/router/context.ts'
import { appRouter } from '../../lib/router/router.ts'
import { LOCAL, openRouter } from '../harness/router.ts'
import { waitFor } from '../harness/wait.ts'

type Accept = (request: IncomingMessage, socket: Duplex, head: Buffer) => void
type Router = ReturnType<typeof openRouter>
type Answer = {
  id?: unknown
  error?: { message: string; data: { code: string } }
  result?: unknown
  said?: string
}

const closings: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closings.splice(0).toReversed()) await close()
})

async function listen(accept: Accept): Promise<string> {
  const server = createServer().on('upgrade', accept).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closings.push(() => server.close())
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/trpc`
}

function acceptByHub(toContext: () => Context): Accept {
  const sockets = createSockets({ onError: () => undefined, onTrouble: () => undefined })
  closings.push(() => sockets.close())
  return (request, socket, head) =>
    sockets.accept(request, socket, head, { context: toContext(), source: 'test', take: undefined })
}

function acceptByStock(toContext: () => Context): Accept {
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  const handle = getWSConnectionHandler({
    wss: server,
    router: appRouter,
    maxBatchSize: MAX_BATCH,
    createContext: () => ({ ...toContext(), feeds: { open: 0 } }),
    onError: () => undefined,
  })
  return (request, socket, head) =>
    server.handleUpgrade(request, socket, head, (client) => handle(client, request))
}

/** One thing that a client sends, or that happens meanwhile, and how many answers there are to it. */
type Step = { send?: unknown; raw?: string | Buffer; act?: () => Promise<unknown>; answers: number }

/** What a server says to each step, in order for each id; and the code with which it closed, if it did. */
async function play(url: string, steps: Step[]): Promise<{ said: Answer[][]; closed: number | undefined }> {
  const socket = new WebSocket(url)
  closings.push(() => socket.terminate())
  const heard: Answer[] = []
  let closed: number | undefined
  socket.on('message', (data: Buffer) => heard.push(toAnswer(data.toString())))
  socket.on('close', (code) => (closed = code))
  await once(socket, 'open')
  const said = []
  for (const { send, raw, act, answers } of steps) {
    if (raw !== undefined) socket.send(raw)
    if (send !== undefined) socket.send(JSON.stringify(send))
    await act?.()
    await waitFor(() => heard.length >= answers, `${answers} answers to ${JSON.stringify(send ?? raw)}`)
    said.push(heard.splice(0))
  }
  // What nobody expected would come before the answer to this.
  socket.send(JSON.stringify(toCall('last', 'query', 'hub.health')))
  await waitFor(() => heard.length > 0 || closed !== undefined, 'the last answer')
  said.push(heard)
  return { said: said.map((some) => some.map(forgive).toSorted(byId)), closed }
}

/** What is different in each database is made the same: the ids of seats, and the history of a cursor. */
function toAnswer(text: string): Answer {
  if (!text.startsWith('{')) return { said: text }
  return JSON.parse(
    text.replaceAll(/p_[0-9a-z]+/g, 'p_').replaceAll(/"\w+\.(\d{16})"/g, '"epoch.$1"'),
  ) as Answer
}

const byId = (one: Answer, other: Answer) => String(one.id).localeCompare(String(other.id))

/** What is wrong with a message that is none is said in words of our own. */
function forgive(answer: Answer): Answer {
  if (answer.error?.data.code !== 'PARSE_ERROR') return answer
  return { ...answer, error: { ...answer.error, message: '…' } }
}

const toCall = (id: unknown, method: string, path: string, more: object = {}) => ({
  id,
  method,
  params: { path, ...more },
})
const follow = (id: unknown, path = 'peers.watch', more: object = {}) =>
  toCall(id, 'subscription', path, more)
const stop = (id: unknown) => ({ id, method: 'subscription.stop' })
const health = (id: unknown) => toCall(id, 'query', 'hub.health')

/** Plays the same steps to both, each with a database of its own in the same state, and gives what each said. */
async function playBoth(
  toSteps: (router: Router) => Promise<Step[]> | Step[],
  { query = '', key }: { query?: string; key?: (router: Router) => Promise<string> } = {},
) {
  const [hub, stock] = await Promise.all(
    [acceptByHub, acceptByStock].map(async (toAccept) => {
      const router = openRouter()
      const { database, hub } = router
      const context = { database, hub, key: await key?.(router), caller: LOCAL }
      const url = await listen(toAccept(() => context))
      return play(`${url}${query}`, await toSteps(router))
    }),
  )
  return { hub: hub!, stock: stock! }
}

describe('the hub answers like the stock adapter', () => {
  const frames: [string, Step[]][] = [
    ['a query', [{ send: health(1), answers: 1 }]],
    ['a query of JSON-RPC 2.0', [{ send: { ...health('a'), jsonrpc: '2.0' }, answers: 1 }]],
    ['a query with an id of 0', [{ send: health(0), answers: 1 }]],
    ['a batch', [{ send: [health(1), toCall(2, 'query', 'no.such'), health('3')], answers: 3 }]],
    ['an empty batch', [{ send: [], answers: 0 }]],
    ['a batch with something else in it', [{ send: [health(1), 7], answers: 1 }]],
    ['an unknown procedure', [{ send: toCall(1, 'query', 'no.such'), answers: 1 }]],
    ['a mutation that is called as a query', [{ send: toCall(1, 'query', 'hub.stop'), answers: 1 }]],
    ['a feed that is called as a query', [{ send: toCall(1, 'query', 'peers.watch'), answers: 1 }]],
    ['a query that is called as a feed', [{ send: follow(1, 'hub.health'), answers: 1 }]],
    ['an unknown feed', [{ send: follow(1, 'no.such'), answers: 1 }]],
    ['an input that is wrong', [{ send: toCall(1, 'query', 'peers.list', { input: 7 }), answers: 1 }]],
    ['a call that needs a key', [{ send: toCall(1, 'mutation', 'peers.leave'), answers: 1 }]],
    ['no JSON', [{ raw: '{', answers: 1 }]],
    ['nothing', [{ raw: '', answers: 1 }]],
    ['a number', [{ send: 1, answers: 1 }]],
    ['null', [{ send: null, answers: 1 }]],
    ['no method', [{ send: { id: 1, params: {} }, answers: 1 }]],
    ['a method that is none', [{ send: toCall(1, 'destroy', 'hub.health'), answers: 1 }]],
    ['no id', [{ send: toCall(undefined, 'query', 'hub.health'), answers: 1 }]],
    ['an id that is null', [{ send: health(null), answers: 1 }]],
    ['an id that is an object', [{ send: health({}), answers: 1 }]],
    ['another version of JSON-RPC', [{ send: { ...health(1), jsonrpc: '1.0' }, answers: 1 }]],
    ['a path that is none', [{ send: { id: 1, method: 'query', params: { path: 7 } }, answers: 1 }]],
    ['a last event that is none', [{ send: follow(1, 'peers.watch', { lastEventId: 7 }), answers: 1 }]],
    ['a binary frame', [{ raw: Buffer.from(JSON.stringify(health(1))), answers: 1 }]],
    ['PING', [{ raw: 'PING', answers: 1 }]],
    ['PONG', [{ raw: 'PONG', answers: 0 }]],
    [
      'a feed that begins and is stopped',
      [
        { send: follow(1), answers: 2 },
        { send: stop(1), answers: 1 },
      ],
    ],
    [
      'a feed of JSON-RPC 2.0',
      [
        { send: { ...follow('x'), jsonrpc: '2.0' }, answers: 2 },
        { send: { ...stop('x'), jsonrpc: '2.0' }, answers: 1 },
      ],
    ],
    [
      'a stop of nothing, and of what was stopped',
      [
        { send: stop(1), answers: 0 },
        { send: follow(1), answers: 2 },
        { send: stop(1), answers: 1 },
        { send: stop(1), answers: 0 },
        { send: stop(null), answers: 1 },
      ],
    ],
    [
      'an id that is taken, and one that only looks like it',
      [
        { send: follow(1), answers: 2 },
        { send: follow(1), answers: 1 },
        { send: follow('1'), answers: 2 },
        { send: health(1), answers: 1 },
        { send: stop(1), answers: 1 },
        { send: follow(1), answers: 2 },
      ],
    ],
    ['a feed that is stopped in its own frame', [{ send: [follow(1), stop(1)], answers: 1 }]],
    ['an id that is taken in its own frame', [{ send: [follow(1), follow(1)], answers: 3 }]],
    ['a feed that needs a key', [{ send: follow(1, 'mailbox.watch'), answers: 1 }]],
    ['a feed whose input is wrong', [{ send: follow(1, 'peers.watch', { input: 7 }), answers: 1 }]],
    [
      'a last event beside an input that is none',
      [{ send: follow(1, 'peers.watch', { input: 7, lastEventId: 'x' }), answers: 1 }],
    ],
    [
      'a last event beside an input that is null',
      [{ send: follow(1, 'peers.watch', { input: null, lastEventId: 'x' }), answers: 2 }],
    ],
    [
      'more feeds than one connection may follow',
      [
        { send: Array.from({ length: 32 }, (_, id) => follow(id)), answers: 64 },
        { send: follow(32), answers: 3 },
        { send: stop(0), answers: 1 },
        { send: follow(33), answers: 2 },
      ],
    ],
    [
      'a batch that is too large',
      [
        { send: Array.from({ length: 257 }, (_, id) => health(id)), answers: 257 },
        { send: Array.from({ length: 256 }, (_, id) => health(id)), answers: 256 },
        { send: [...Array.from({ length: 256 }, () => stop(1)), health('a'), health(null)], answers: 1 },
        { send: Array.from({ length: 257 }, () => stop(1)), answers: 1 },
      ],
    ],
  ]
  test.each(frames)('to %s', async (_, steps) => {
    const { hub, stock } = await playBoth(() => steps)
    expect(hub).toEqual(stock)
  })

  test('to a client that comes back with the event after which it left', async () => {
    for (const input of [undefined, {}, { lastEventId: 'older' }]) {
      const { hub, stock } = await playBoth(async ({ seat, database }) => {
        const seats = [await seat('api'), await seat('web')]
        const lastEventId = `${database.epoch}.${database.lastSeq()}`
        for (const { caller } of seats) await caller.peers.setSummary({ summary: 'meanwhile' })
        return [{ send: follow(1, 'peers.watch', { input, lastEventId }), answers: 3 }]
      })
      expect(hub).toEqual(stock)
      expect(hub.said[0]).toMatchObject([
        { result: { type: 'started' } },
        { result: { type: 'data', data: { data: { type: 'changed', peer: { name: 'api' } } } } },
        { result: { type: 'data', data: { data: { type: 'changed', peer: { name: 'web' } } } } },
      ])
    }
  })

  test('to those who follow: each change with an id to come back with', async () => {
    const { hub, stock } = await playBoth(async ({ seat }) => {
      const api = await seat('api')
      return [
        { send: [follow(1), follow(2, 'messages.watch')], answers: 3 },
        { act: () => api.caller.peers.setSummary({ summary: 'täglich \u2028 東京' }), answers: 1 },
      ]
    })
    expect(hub).toEqual(stock)
    const { id, ...told } = hub.said[1]![0]!.result as { id: string; data: { id: string } }
    expect(told).toMatchObject({
      type: 'data',
      data: { id, data: { peer: { summary: 'täglich \u2028 東京' } } },
    })
  })

  test('to a session whose seat was taken: an error, and the end', async () => {
    const { hub, stock } = await playBoth(
      ({ seat, turn, database }) => [
        { send: follow(1, 'mailbox.watch'), answers: 2 },
        {
          async act() {
            await turn(database.peers.named('api')[0]!.id, false)
            await seat('api', { online: false })
          },
          answers: 2,
        },
        { send: stop(1), answers: 0 },
      ],
      { key: async (router) => (await router.seat('api')).key },
    )
    expect(hub).toEqual(stock)
    expect(hub.said[1]).toMatchObject([
      { error: { data: { code: 'UNAUTHORIZED', path: 'mailbox.watch' } } },
      { result: { type: 'stopped' } },
    ])
  })

  const params = (data: unknown) => ({ method: 'connectionParams', data })
  test.each([
    ['that is right', JSON.stringify(params({ token: 'x' }))],
    ['that is null', JSON.stringify(params(null))],
  ])('to connection parameters %s: with nothing, and to calls from then on', async (_, raw) => {
    const { hub, stock } = await playBoth(
      () => [
        { raw: 'PING', answers: 1 },
        { raw, answers: 0 },
        { send: health(1), answers: 1 },
      ],
      {
        query: '?connectionParams=1',
      },
    )
    expect(hub).toEqual(stock)
  })

  test.each([
    ['that are no JSON', '{'],
    ['that are a list', '[]'],
    ['that are missing', '{}'],
    ['that are no texts', JSON.stringify(params({ token: 7 }))],
  ])('to connection parameters %s: with an error, and the end', async (_, raw) => {
    const { hub, stock } = await playBoth(() => [{ raw, answers: 1 }], { query: '?connectionParams=1' })
    expect(hub).toEqual(stock)
    expect(hub.closed).toBe(1005)
  })
})

test('an id that is longer than anybody needs is refused, and not said with each event', async () => {
  const { database, hub } = openRouter()
  const url = await listen(acceptByHub(() => ({ database, hub, key: undefined, caller: LOCAL })))
  const { said } = await play(url, [
    { send: follow('x'.repeat(128)), answers: 2 },
    { send: follow('x'.repeat(129)), answers: 1 },
  ])
  expect(said[1]).toMatchObject([{ id: null, error: { data: { code: 'PARSE_ERROR' } } }])
})
