import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { connect, type HubClient } from '../../lib/client/connect.ts'
import { openHub, stockClient, takeSeat, type Seat, type TestHub } from '../harness/hub.ts'
import { waitFor } from '../harness/wait.ts'

let hub: TestHub
let seat: Seat
beforeEach(async () => {
  hub = await openHub()
  seat = await takeSeat(hub, 'api')
})
const clients: HubClient[] = []
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()))
  await hub[Symbol.asyncDispose]()
})

function open(options: Parameters<typeof connect>[0]): HubClient {
  const client = connect(options)
  clients.push(client)
  return client
}

const sockets = async () => (await stockClient(hub).hub.stats.query()).sockets
/** A client that may have to look for the hub anew. */
const endpoint = () => ({ url: hub.url, token: hub.token, key: seat.key })

/** Follows the messages of the network, and keeps what it is told. */
async function follow(client: HubClient) {
  const [texts, ids, ends]: [string[], string[], unknown[]] = [[], [], []]
  const { promise: started, resolve } = Promise.withResolvers<void>()
  const feed = client.hub.messages.watch.subscribe(undefined, {
    onStarted: () => resolve(),
    onData({ id, data }) {
      ids.push(id)
      texts.push(data.entry.text)
    },
    onError: (cause) => ends.push(cause),
    onComplete: () => ends.push('completed'),
  })
  await started
  return { texts, ids, ends, unsubscribe: () => feed.unsubscribe() }
}

let count = 0
async function send(text: string) {
  const other = await takeSeat(hub, `sender-${++count}`)
  await other.client.messages.send.mutate({ to: 'api', message: text, idempotencyKey: `feed-${count}-key` })
}

describe('the feed', () => {
  test('has a connection while somebody listens, and one for all of them', async () => {
    const states: string[] = []
    const client = open({ endpoint, onFeed: (state) => states.push(state) })
    await client.hub.hub.health.query()
    expect([await sockets(), states]).toEqual([0, []])
    const [one, other] = [await follow(client), await follow(client)]
    expect([await sockets(), states]).toEqual([1, ['open']])
    one.unsubscribe()
    await send('still heard')
    await waitFor(() => other.texts.length === 1, 'the message')
    other.unsubscribe()
    expect(await waitFor(async () => (await sockets()) === 0, 'the socket to close')).toBe(true)
    expect(states).toEqual(['open', 'closed'])
  })

  test('starts no short timer again and again while it is open', async () => {
    const client = open({ endpoint })
    await follow(client)
    const timers = vi.spyOn(globalThis, 'setTimeout')
    try {
      for (let call = 0; call < 50; call++) await client.hub.hub.health.query()
      expect(timers.mock.calls.filter(([, delay = 0]) => delay < 1_000)).toEqual([])
    } finally {
      timers.mockRestore()
    }
  })

  test('has a connection for who follows right after the last one has left', async () => {
    const states: string[] = []
    const client = open({ endpoint, onFeed: (state) => states.push(state) })
    for (let round = 0; round < 5; round++) {
      const one = await follow(client)
      one.unsubscribe()
    }
    const last = await follow(client)
    await send('heard')
    await waitFor(() => last.texts.length === 1, 'the message')
    expect(await waitFor(async () => (await sockets()) === 1, 'the other sockets to close')).toBe(true)
    expect(last.ends).toEqual([])
    expect(states.at(-1)).toBe('open')
  })

  test('looks no longer for a hub once nobody follows', async () => {
    let looks = 0
    const client = open({
      endpoint: () => Promise.reject(new Error(`no hub, look ${++looks}`)),
      longestRetryMs: () => 1,
    })
    const feed = client.hub.messages.watch.subscribe(undefined, { onData: () => undefined })
    await waitFor(() => looks > 1, 'a second look')
    feed.unsubscribe()
    const before = looks
    for (let call = 0; call < 20; call++) await sockets()
    // One may have been under way.
    expect(looks - before).toBeLessThanOrEqual(1)
  })

  test('resumes over restarts of the hub, and nothing is missing or told twice', async () => {
    const states: string[] = []
    const feed = await follow(open({ endpoint, onFeed: (state) => states.push(state) }))
    const expected: string[] = []
    for (let round = 0; round < 4; round++) {
      for (const when of ['before', 'after']) {
        await send(`${round} ${when}`)
        expected.push(`${round} ${when}`)
        if (when === 'after') continue
        await hub.stop()
        await hub.start()
      }
    }
    await waitFor(() => feed.texts.length >= expected.length, 'every message')
    expect(feed.texts).toEqual(expected)
    expect(new Set(feed.ids).size).toBe(expected.length)
    expect(feed.ends).toEqual([])
    expect(states).toEqual(states.map((_, index) => (index % 2 === 0 ? 'open' : 'closed')))
    expect(states.at(-1)).toBe('open')
  })

  test('waits for a hub that is not there yet', async () => {
    await hub.stop()
    let looks = 0
    const states: string[] = []
    const client = open({
      onFeed: (state) => states.push(state),
      endpoint: () => {
        if (++looks < 3) throw new Error('no hub yet')
        return looks < 5 ? { url: 'http://127.0.0.1:9', token: 'x' } : endpoint()
      },
    })
    const feed = follow(client)
    await waitFor(() => looks > 0, 'the first look')
    await hub.start()
    const { texts } = await feed
    await send('at last')
    await waitFor(() => texts.length === 1, 'the message')
    expect(looks).toBeGreaterThanOrEqual(5)
    expect(states).toEqual(['open'])
  })

  test('goes to where the hub is now', async () => {
    await using next = await openHub()
    let where: TestHub = hub
    const feed = await follow(open({ endpoint: () => ({ url: where.url, token: where.token }) }))
    const { key } = await takeSeat(next, 'web')
    await takeSeat(next, 'api')
    where = next
    await hub.stop()
    await waitFor(async () => (await stockClient(next).hub.stats.query()).sockets === 1, 'the feed to move')
    const web = stockClient({ url: next.url, headers: { ...next.headers, 'x-claude-peers-key': key } })
    // The cursor is of another hub's making, and means nothing here: all since this one began is news.
    await web.messages.send.mutate({ to: 'api', message: 'moved', idempotencyKey: 'moved-key' })
    await waitFor(() => feed.texts.includes('moved'), 'the message')
    expect(feed.ends).toEqual([])
  })

  test('ends with what is wrong when asking again would not help', async () => {
    const errors: { message: string }[] = []
    const client = open({ endpoint: () => ({ url: hub.url, token: hub.token, key: 'p_1.wrong' }) })
    client.hub.mailbox.watch.subscribe(undefined, {
      onData: () => undefined,
      onError: (cause) => errors.push(cause),
    })
    await waitFor(() => errors.length > 0, 'the refusal')
    expect(errors).toMatchObject([
      { message: expect.stringContaining('register again'), data: { code: 'UNAUTHORIZED' } },
    ])
  })

  test('speaks with a new key once there is one, also while another subscription keeps the connection', async () => {
    let key = 'p_1.wrong'
    const client = open({ endpoint: () => ({ url: hub.url, token: hub.token, key }) })
    await follow(client)
    const refused = Promise.withResolvers<unknown>()
    client.hub.mailbox.watch.subscribe(undefined, { onData: () => undefined, onError: refused.resolve })
    await refused.promise
    key = seat.key
    const heard = Promise.withResolvers<unknown>()
    client.hub.mailbox.watch.subscribe(undefined, {
      onData: ({ data }) => heard.resolve(data),
      onError: heard.resolve,
    })
    expect(await heard.promise).toMatchObject({ type: 'waiting', waiting: 0 })
  })
})

describe('a client that is closed', () => {
  const closesSoon = async (client: HubClient) => {
    const late = Promise.withResolvers<boolean>()
    const patience = setTimeout(() => late.resolve(false), 5_000)
    const soon = await Promise.race([client.close().then(() => true), late.promise])
    clearTimeout(patience)
    return soon
  }

  test('ends its feeds and connections', async () => {
    const client = open({ endpoint })
    const feed = await follow(client)
    await client.close()
    expect(await waitFor(async () => (await sockets()) === 0, 'the socket to close')).toBe(true)
    expect(feed.ends).toEqual(['completed'])
  })

  test.each([
    ['is not there', () => ({ url: 'http://127.0.0.1:9', token: 'x' })],
    ['cannot be found', () => Promise.reject(new Error('no hub'))],
    ['is being looked for without end', () => new Promise<never>(() => undefined)],
  ])('does not wait for a hub that %s', async (_, nowhere) => {
    const client = open({ endpoint: nowhere })
    client.hub.messages.watch.subscribe(undefined, { onData: () => undefined })
    await new Promise((resolve) => setImmediate(resolve))
    expect(await closesSoon(client)).toBe(true)
  })

  test('does not wait for a hub that takes the connection and says nothing', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const client = open({
      endpoint: { url: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`, token: 'x' },
    })
    client.hub.messages.watch.subscribe(undefined, { onData: () => undefined })
    await once(silent, 'connection')
    expect(await closesSoon(client)).toBe(true)
    silent.close()
  })

  test('that never called anything closes as well', async () => {
    const client = open({ endpoint })
    await client.close()
    await client.close()
    expect(await sockets()).toBe(0)
  })
})
