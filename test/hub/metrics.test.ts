import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openHub, socketWith, stockClient, takeSeat, type TestHub } from '../harness/hub.ts'
import { createTRPCClient, createWSClient, wsLink } from '@trpc/client'
import type { AppRouter } from '../../lib/router/router.ts'
import { LEASE_MS } from '../../lib/db/limits.ts'
import { exchange } from '../harness/raw.ts'
import { openServer } from '../harness/server.ts'
import { waitFor } from '../harness/wait.ts'

const clock = { ahead: 0 }
let hub: TestHub
beforeAll(async () => {
  hub = await openHub({ env: { CLAUDE_PEERS_TOKEN: FLEET }, now: () => Date.now() + clock.ahead })
})
afterAll(() => hub[Symbol.asyncDispose]())

const FLEET = 'the-token-of-a-fleet'

/** The samples of a scrape, by their names and labels. */
async function scrape(headers = hub.headers): Promise<Map<string, number>> {
  const { status, body } = await exchange(`${hub.url}/metrics`, { headers })
  expect(status).toBe(200)
  const lines = body.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ')
      return [line.slice(0, at), Number(line.slice(at + 1))]
    }),
  )
}

/** What a scrape shows more than one before: counters that others in this file move as well. */
async function change(work: () => Promise<unknown>): Promise<(name: string) => number> {
  const before = await scrape()
  await work()
  const after = await scrape()
  return (name) => (after.get(name) ?? 0) - (before.get(name) ?? 0)
}

let keys = 0
const draft = (to: string) => ({ to, message: `hello ${++keys}`, idempotencyKey: `metrics-${keys}` })

describe('GET /metrics', () => {
  test('is in the text format of Prometheus, every metric with its type and in base units', async () => {
    const { headers, body } = await exchange(`${hub.url}/metrics`, { headers: hub.headers })
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
    const own = [...body.matchAll(/^# TYPE (claude_peers_\w+) (\w+)$/gm)].map(([, name, type]) => [
      name,
      type,
    ])
    expect(own.map(([name]) => name!).toSorted((one, other) => one.localeCompare(other))).toEqual([
      'claude_peers_build_info',
      'claude_peers_commit_duration_seconds',
      'claude_peers_commit_operations_total',
      'claude_peers_commits_total',
      'claude_peers_deliveries',
      'claude_peers_delivery_latency_seconds',
      'claude_peers_http_requests_total',
      'claude_peers_leases_expired_total',
      'claude_peers_messages_sent_total',
      'claude_peers_oldest_waiting_seconds',
      'claude_peers_peers_known',
      'claude_peers_peers_online',
      'claude_peers_refusals_total',
      'claude_peers_sockets',
      'claude_peers_subscriptions',
    ])
    for (const [name, type] of own) expect(name!.endsWith('_total')).toBe(type === 'counter')
    expect(body).toContain('process_resident_memory_bytes')
    expect(body).toContain('nodejs_eventloop_lag_seconds')
    expect(body.endsWith('\n')).toBe(true)
    expect((await exchange(`${hub.url}/metrics`, { method: 'HEAD', headers: hub.headers })).status).toBe(200)
  })

  test('needs a token, that of the machine or of the fleet', async () => {
    const refused = await exchange(`${hub.url}/metrics`)
    expect([refused.status, refused.body.includes('claude_peers_')]).toEqual([401, false])
    const wrong = { authorization: 'Bearer wrong' }
    expect((await exchange(`${hub.url}/metrics`, { headers: wrong })).status).toBe(401)
    expect((await scrape({ authorization: `Bearer ${FLEET}` })).size).toBeGreaterThan(20)
  })

  test('is open to a machine with a token of its own once it has joined', async () => {
    const { token } = await stockClient(hub).machines.invite.mutate({ label: 'studio' })
    const headers = { authorization: `Bearer ${token}` }
    const invited = await exchange(`${hub.url}/metrics`, { headers })
    expect([invited.status, invited.body]).toEqual([403, expect.stringContaining('has not joined yet')])
    await stockClient({ url: hub.url, headers }).machines.join.mutate({
      machine: { id: 'machine-studio', host: 'studio' },
    })
    expect((await scrape(headers)).get('claude_peers_peers_known')).toBeGreaterThanOrEqual(0)
  })

  test('shows mail from its sending to its acknowledgement', async () => {
    const [web, api] = [await takeSeat(hub, 'web'), await takeSeat(hub, 'api')]
    const moved = await change(async () => {
      await web.client.messages.send.mutate(draft('api'))
      await web.client.messages.send.mutate(draft('api'))
    })
    expect(moved('claude_peers_messages_sent_total')).toBe(2)
    expect(moved('claude_peers_deliveries{state="queued"}')).toBe(2)
    expect(moved('claude_peers_commit_operations_total')).toBeGreaterThanOrEqual(2)
    expect(moved('claude_peers_commits_total')).toBe(moved('claude_peers_commit_duration_seconds_count'))
    clock.ahead += 90_000
    expect((await scrape()).get('claude_peers_oldest_waiting_seconds')).toBeGreaterThanOrEqual(90)
    const offered = await api.client.mailbox.consume.mutate({ budget: 10_000 })
    expect((await scrape()).get('claude_peers_deliveries{state="offered"}')).toBe(2)
    const settled = await change(() => api.client.mailbox.ack.mutate({ offerId: offered.offerId! }))
    expect(settled('claude_peers_deliveries{state="offered"}')).toBe(-2)
    expect(settled('claude_peers_delivery_latency_seconds_count')).toBe(2)
    expect(settled('claude_peers_delivery_latency_seconds_bucket{le="60"}')).toBe(0)
    expect(settled('claude_peers_delivery_latency_seconds_bucket{le="300"}')).toBe(2)
    expect(settled('claude_peers_delivery_latency_seconds_sum')).toBeGreaterThanOrEqual(180)
    expect((await scrape()).get('claude_peers_oldest_waiting_seconds')).toBe(0)
  })

  test('counts what was offered and not acknowledged in time', async () => {
    const [web, slow] = [await takeSeat(hub, 'web'), await takeSeat(hub, 'slow')]
    await web.client.messages.send.mutate(draft('slow'))
    await slow.client.mailbox.consume.mutate({ budget: 10_000 })
    const moved = await change(async () => {
      clock.ahead += LEASE_MS
      await slow.client.mailbox.consume.mutate({ budget: 10_000 })
    })
    expect(moved('claude_peers_leases_expired_total')).toBe(1)
  })

  test('shows who is connected, and the feeds that they follow', async () => {
    const seat = await takeSeat(hub, 'watcher')
    const before = await scrape()
    const socket = createWSClient({
      url: `${hub.url.replace('http', 'ws')}/trpc`,
      WebSocket: socketWith(seat.headers),
    })
    const client = createTRPCClient<AppRouter>({ links: [wsLink({ client: socket })] })
    const opened = Promise.withResolvers<void>()
    client.mailbox.watch.subscribe(undefined, { onData: () => opened.resolve(), onError: opened.reject })
    client.peers.watch.subscribe(undefined, {})
    await opened.promise
    const more = (after: Map<string, number>, name: string) => after.get(name)! - before.get(name)!
    const isOpen = async () => more(await scrape(), 'claude_peers_subscriptions') === 2
    await waitFor(isOpen, 'both feeds')
    const after = await scrape()
    expect(more(after, 'claude_peers_sockets')).toBe(1)
    expect(after.get('claude_peers_peers_online')).toBeGreaterThanOrEqual(1)
    expect(after.get('claude_peers_build_info{version="3.0.0"}')).toBe(1)
    await socket.close()
    await waitFor(async () => more(await scrape(), 'claude_peers_subscriptions') === 0, 'the feeds to end')
    expect(more(await scrape(), 'claude_peers_sockets')).toBe(0)
  })

  test('counts requests by few words, whatever is asked for', async () => {
    const { headers } = hub
    const get = (path: string) => exchange(`${hub.url}${path}`, { headers })
    const moved = await change(async () => {
      await get('/trpc/hub.stats')
      await get('/trpc/hub.stats,peers.list?batch=1')
      await get('/trpc/mailbox.peek')
      for (let index = 0; index < 20; index++) await get(`/trpc/made-up-${index}`)
      for (const path of ['/', '/wp-login.php', '/trpc/toString', '/trpc/__proto__']) await get(path)
      await get('/health')
    })
    expect(moved('claude_peers_http_requests_total{procedure="hub.stats",outcome="ok"}')).toBe(1)
    expect(moved('claude_peers_http_requests_total{procedure="batch",outcome="ok"}')).toBe(1)
    expect(moved('claude_peers_http_requests_total{procedure="mailbox.peek",outcome="refused"}')).toBe(1)
    expect(moved('claude_peers_http_requests_total{procedure="unknown",outcome="refused"}')).toBe(24)
    expect(moved('claude_peers_http_requests_total{procedure="health",outcome="ok"}')).toBe(1)
    const names = [...(await scrape()).keys()].join('\n')
    expect(names).not.toMatch(/made-up|wp-login|toString|__proto__/)
  })

  test('counts what the door refused, by its status', async () => {
    const moved = await change(async () => {
      await exchange(`${hub.url}/trpc/hub.stats`)
      await exchange(`${hub.url}/trpc/hub.stats`, { headers: { ...hub.headers, host: 'evil.example' } })
      await exchange(`${hub.url}/trpc/hub.stats`, {
        headers: { ...hub.headers, origin: 'http://evil.example' },
      })
    })
    expect(moved('claude_peers_refusals_total{status="401"}')).toBe(1)
    expect(moved('claude_peers_refusals_total{status="421"}')).toBe(1)
    expect(moved('claude_peers_refusals_total{status="403"}')).toBe(1)
  })

  test('holds nothing of what was said or by whom', async () => {
    const [spy, secret] = [await takeSeat(hub, 'spy-name'), await takeSeat(hub, 'secret-name')]
    await spy.client.messages.send.mutate({ ...draft('secret-name'), message: 'the launch code' })
    const { body } = await exchange(`${hub.url}/metrics`, { headers: hub.headers })
    for (const word of ['spy-name', 'secret-name', 'launch', hub.token, spy.id, secret.key, 'laptop'])
      expect(body).not.toContain(word)
  })
})

test('what happened before the first scrape is counted, also within the first second of a hub', async () => {
  await using fresh = await openHub()
  const [web] = [await takeSeat(fresh, 'web'), await takeSeat(fresh, 'api')]
  await web.client.messages.send.mutate(draft('api'))
  const { body } = await exchange(`${fresh.url}/metrics`, { headers: fresh.headers })
  expect(body).toContain('claude_peers_messages_sent_total 1\n')
  expect(body).toMatch(/http_requests_total\{procedure="peers\.register",outcome="ok"\} 2\n/)
})

describe('GET /health', () => {
  test('is 200 with JSON while the hub serves, for HEAD without a body', async () => {
    const got = await exchange(`${hub.url}/health`)
    expect([got.status, JSON.parse(got.body)]).toEqual([
      200,
      expect.objectContaining({ status: 'ok', name: 'claude-peers', version: '3.0.0' }),
    ])
    const head = await exchange(`${hub.url}/health`, { method: 'HEAD' })
    expect([head.status, head.body, head.headers['content-type']]).toEqual([200, '', 'application/json'])
  })

  test('is 503 with JSON before it serves, as is /metrics', async () => {
    await using server = await openServer()
    const { status, body } = await exchange(`${server.url}/health`)
    expect([status, JSON.parse(body)]).toMatchObject([503, { error: { data: { httpStatus: 503 } } }])
    expect(await exchange(`${server.url}/health`, { method: 'HEAD' })).toMatchObject({
      status: 503,
      body: '',
    })
    expect((await exchange(`${server.url}/metrics`, { headers: server.headers })).status).toBe(503)
    server.serve()
    expect((await exchange(`${server.url}/health`)).status).toBe(200)
    server.breakDatabase()
    expect((await exchange(`${server.url}/metrics`, { headers: server.headers })).status).toBe(503)
    expect(server.lines.map((line) => line.msg)).toContain('a scrape was not answered')
  })
})
