import { createTRPCClient, createWSClient, httpBatchLink, httpLink, retryLink, wsLink } from '@trpc/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AppRouter } from '../../lib/router/router.ts'
import { openHub, socketWith, takeSeat, type Headers, type TestHub } from '../harness/hub.ts'
import { exchange } from '../harness/raw.ts'
import { waitFor } from '../harness/wait.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await openHub()
})
afterAll(() => hub[Symbol.asyncDispose]())

/** A stock WebSocket client; `using` closes it. */
function overSocket(headers: Headers = hub.headers) {
  const socket = createWSClient({
    url: `${hub.url.replace('http', 'ws')}/trpc`,
    WebSocket: socketWith(headers),
    retryDelayMs: () => 20,
  })
  const client = createTRPCClient<AppRouter>({
    links: [retryLink({ retry: () => true, retryDelayMs: () => 20 }), wsLink({ client: socket })],
  })
  return { client, [Symbol.asyncDispose]: () => socket.close() }
}

describe('httpLink', () => {
  const client = () =>
    createTRPCClient<AppRouter>({ links: [httpLink({ url: `${hub.url}/trpc`, headers: hub.headers })] })

  test('queries and mutates', async () => {
    expect(await client().hub.health.query()).toMatchObject({ status: 'ok', name: 'claude-peers' })
    const seat = await takeSeat(hub, 'http-link')
    expect(await seat.client.peers.setSummary.mutate({ summary: 'täglich 東京' })).toMatchObject({
      summary: 'täglich 東京',
    })
    expect((await client().peers.list.query({ scope: 'network' })).peers.map((peer) => peer.name)).toContain(
      'http-link',
    )
  })

  test('gets errors with the code and the words of the procedure', async () => {
    await expect(client().mailbox.consume.mutate({ budget: 100 })).rejects.toMatchObject({
      message: expect.stringContaining('register with peers.register'),
      data: { code: 'UNAUTHORIZED', httpStatus: 401, path: 'mailbox.consume' },
    })
    await expect(client().messages.history.query({ limit: 0 })).rejects.toMatchObject({
      message: 'limit: Too small: expected number to be >=1',
      data: { code: 'BAD_REQUEST' },
    })
  })

  test('hears that a subscription needs the WebSocket', async () => {
    const answer = await exchange(`${hub.url}/trpc/peers.watch`, { headers: hub.headers })
    expect(answer.status).toBe(405)
    expect(JSON.parse(answer.body)).toMatchObject({
      error: {
        message: expect.stringContaining('use the WebSocket'),
        data: { code: 'METHOD_NOT_SUPPORTED' },
      },
    })
  })
})

describe('httpBatchLink', () => {
  const client = () =>
    createTRPCClient<AppRouter>({ links: [httpBatchLink({ url: `${hub.url}/trpc`, headers: hub.headers })] })

  test('gets every answer of a batch in its place, also where some fail', async () => {
    const { hub: call, peers, messages } = client()
    const outcomes = await Promise.allSettled([
      call.health.query(),
      messages.history.query({ limit: 0 }),
      peers.list.query(),
      peers.list.query({ scope: 'machine' }),
    ])
    expect(outcomes.map((one) => one.status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected'])
    expect(outcomes[0]).toMatchObject({ value: { status: 'ok' } })
    expect(outcomes[2]).toMatchObject({ value: { peers: expect.any(Array) } })
    expect(outcomes[3]).toMatchObject({ reason: { data: { path: 'peers.list', code: 'BAD_REQUEST' } } })
  })

  test('mutates in batches', async () => {
    const machine = { id: 'machine-of-batches', host: 'laptop' }
    const names = ['one', 'two', 'three']
    const calls = client()
    const seats = await Promise.all(
      names.map((name) =>
        calls.peers.register.mutate({
          machine,
          directory: `/batch/${name}`,
          root: `/batch/${name}`,
          isRepo: false,
          summary: '',
        }),
      ),
    )
    expect(seats.map((seat) => seat.peer.name)).toEqual(names)
  })

  test('takes as many calls as a client makes in one turn', async () => {
    const { hub: call } = client()
    const answers = await Promise.all(Array.from({ length: 200 }, () => call.health.query()))
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set(['ok']))
  })

  test('shares one status if all agree, and has 207 if they differ', async () => {
    const status = async (paths: string, input: object) => {
      const query = `batch=1&input=${encodeURIComponent(JSON.stringify(input))}`
      return (await exchange(`${hub.url}/trpc/${paths}?${query}`, { headers: hub.headers })).status
    }
    expect(await status('hub.health,hub.health', {})).toBe(200)
    expect(await status('hub.health,messages.history', { 1: { limit: 0 } })).toBe(207)
    expect(await status('messages.history,messages.history', { 0: { limit: 0 }, 1: { limit: 0 } })).toBe(400)
  })
})

describe('wsLink', () => {
  test('queries, mutates and gets errors', async () => {
    const seat = await takeSeat(hub, 'socket')
    await using socket = overSocket(seat.headers)
    const { client } = socket
    expect(await client.hub.health.query()).toMatchObject({ status: 'ok' })
    expect(await client.peers.setSummary.mutate({ summary: 'on a socket' })).toMatchObject({
      name: 'socket',
      summary: 'on a socket',
    })
    const failing = createTRPCClient<AppRouter>({
      links: [
        wsLink({
          client: createWSClient({
            url: `${hub.url.replace('http', 'ws')}/trpc`,
            WebSocket: socketWith(hub.headers),
            lazy: { enabled: true, closeMs: 0 },
          }),
        }),
      ],
    })
    await expect(failing.mailbox.peek.query()).rejects.toMatchObject({ data: { code: 'UNAUTHORIZED' } })
  })

  test('a feed starts with a snapshot and goes on with what changes', async () => {
    const seat = await takeSeat(hub, 'watched')
    await using socket = overSocket(seat.headers)
    const seen: string[] = []
    const feed = socket.client.peers.watch.subscribe(undefined, {
      onData: ({ data }) =>
        seen.push(
          data.type === 'snapshot' ? 'snapshot' : `${data.type} ${data.peer.name} ${data.peer.summary}`,
        ),
    })
    await waitFor(() => seen.length > 0, 'the snapshot')
    await seat.client.peers.setSummary.mutate({ summary: 'news' })
    await waitFor(() => seen.length > 1, 'the change')
    feed.unsubscribe()
    expect(seen).toEqual(['snapshot', 'changed watched news'])
  })

  test('a feed of everybody resumes over a restart of the hub after the snapshot, and gets no other', async () => {
    await using hub = await openHub()
    const seat = await takeSeat(hub, 'watched')
    const socket = createWSClient({
      url: `${hub.url.replace('http', 'ws')}/trpc`,
      WebSocket: socketWith(seat.headers),
      retryDelayMs: () => 20,
    })
    const client = createTRPCClient<AppRouter>({ links: [wsLink({ client: socket })] })
    const seen: string[] = []
    client.peers.watch.subscribe(undefined, {
      onData: ({ data }) => seen.push(data.type === 'snapshot' ? data.type : data.peer.summary),
      onError: () => seen.push('an error'),
      onComplete: () => seen.push('the end'),
    })
    await waitFor(() => seen.length > 0, 'the snapshot')
    for (const summary of ['one', 'two']) {
      await hub.stop()
      await hub.start()
      // Before the client is back.
      await seat.client.peers.setSummary.mutate({ summary })
      await waitFor(() => seen.at(-1) === summary, 'the change')
    }
    expect(seen).toEqual(['snapshot', 'one', 'two'])
    await socket.close()
  })

  test('a feed resumes over a restart of the hub, and nothing is missing or told twice', async () => {
    await using hub = await openHub()
    const [sender, recipient] = [await takeSeat(hub, 'sender'), await takeSeat(hub, 'recipient')]
    const client = createTRPCClient<AppRouter>({
      links: [
        retryLink({ retry: () => true, retryDelayMs: () => 20 }),
        wsLink({
          client: createWSClient({
            url: `${hub.url.replace('http', 'ws')}/trpc`,
            WebSocket: socketWith(sender.headers),
            retryDelayMs: () => 20,
            lazy: { enabled: true, closeMs: 0 },
          }),
        }),
      ],
    })
    const [texts, ids]: [string[], string[]] = [[], []]
    const failures: unknown[] = []
    const { promise: started, resolve: onStarted } = Promise.withResolvers<void>()
    const feed = client.messages.watch.subscribe(undefined, {
      onStarted: () => onStarted(),
      onData: ({ id, data }) => {
        ids.push(id)
        texts.push(data.entry.text)
      },
      onError: (cause) => failures.push(cause),
      onComplete: () => failures.push('completed'),
    })
    await started
    let sent = 0
    const send = async () => {
      const message = `message ${++sent}`
      await sender.client.messages.send.mutate({
        to: recipient.id,
        message,
        idempotencyKey: `resume-${sent}`,
      })
    }
    for (let round = 0; round < 3; round++) {
      for (let one = 0; one < 5; one++) await send()
      await hub.stop()
      await hub.start()
      // Before the client is back.
      for (let one = 0; one < 5; one++) await send()
    }
    const expected = Array.from({ length: sent }, (_, index) => `message ${index + 1}`)
    await waitFor(() => texts.length >= sent, 'every message')
    expect(texts).toEqual(expected)
    expect(new Set(ids).size).toBe(ids.length)
    expect(failures).toEqual([])
    feed.unsubscribe()
  })
})
