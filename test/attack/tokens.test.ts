/** Guessing: ten thousand wrong tokens, as fast as they can be sent. */
import { randomBytes } from 'node:crypto'
import { Agent, request } from 'node:http'
import { describe, expect, test } from 'vitest'
import { stockClient, takeSeat } from '../harness/hub.ts'
import { exchange } from '../harness/raw.ts'
import { FROM_ELSEWHERE, MARK, SHARED, useFort } from './fort.ts'

const fort = useFort()
const GUESSES = 10_000

/** Sends as many requests over a few kept connections; tells how many had each status. */
async function guess(count: number, toHeaders: (index: number) => Record<string, string>) {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 })
  const statuses: Record<number, number> = {}
  const one = (index: number) =>
    new Promise<void>((resolve, reject) => {
      const call = request(`${fort.url}/trpc/hub.stats`, { agent, headers: toHeaders(index) }, (response) => {
        statuses[response.statusCode!] = (statuses[response.statusCode!] ?? 0) + 1
        response.resume().on('end', resolve)
      })
      call.on('error', reject).end()
    })
  let next = 0
  const worker = async () => {
    while (next < count) await one(next++)
  }
  await Promise.all(Array.from({ length: 8 }, worker))
  agent.destroy()
  return statuses
}

const wrong = (index: number) => `Bearer ${MARK}-${index}-${randomBytes(16).toString('base64url')}`

describe('10,000 wrong tokens', () => {
  test('from this machine are refused, and its own sessions notice nothing', async () => {
    const seat = await takeSeat(fort, 'busy')
    const before = (await fort.log()).split('\n').length
    let calls = 0
    const over = new AbortController()
    const good = (async () => {
      while (!over.signal.aborted) {
        await seat.client.mailbox.peek.query()
        // A client that looks for its hub without a token finds it, too.
        expect((await exchange(`${fort.url}/health`)).status).toBe(200)
        calls++
      }
    })()
    const statuses = await guess(GUESSES, (index) => ({ authorization: wrong(index) }))
    over.abort()
    await good
    expect(statuses).toEqual({ 401: 10, 429: GUESSES - 10 })
    expect(calls).toBeGreaterThan(10)
    expect((await fort.log()).split('\n').length - before).toBeLessThanOrEqual(3)
  })

  test('from elsewhere are told when to come again, and a machine behind that address goes on', async () => {
    const machine = stockClient({ url: fort.url, headers: fort.machineHeaders })
    const shared = { authorization: `Bearer ${SHARED}`, ...FROM_ELSEWHERE }
    // Whoever had it right before is known.
    expect((await exchange(`${fort.url}/trpc/peers.list`, { headers: shared })).status).toBe(200)
    const before = (await fort.log()).split('\n').length
    const statuses = await guess(GUESSES, (index) => ({ ...FROM_ELSEWHERE, authorization: wrong(index) }))
    expect(statuses).toEqual({ 401: 10, 429: GUESSES - 10 })
    const answer = await exchange(`${fort.url}/health`, { headers: FROM_ELSEWHERE })
    expect(answer).toMatchObject({
      status: 429,
      headers: { 'retry-after': expect.stringMatching(/^[1-6]?\d$/) },
    })
    expect(answer.body).not.toMatch(/claude|hub|token/i)
    await expect(machine.peers.list.query()).resolves.toBeDefined()
    expect((await exchange(`${fort.url}/trpc/peers.list`, { headers: shared })).status).toBe(200)
    expect((await fort.log()).split('\n').length - before).toBeLessThanOrEqual(3)
  })
})

test('a caller from elsewhere without a right token learns nothing of what answers', async () => {
  const cases: Record<string, string>[] = [
    {},
    { authorization: 'Bearer' },
    { authorization: `Basic ${Buffer.from(`me:${SHARED}`).toString('base64')}` },
    { authorization: fort.bearer },
    { cookie: `token=${SHARED}` },
    { 'x-claude-peers-key': 'p_1.x' },
    { host: 'evil.example' },
    { origin: 'https://evil.example' },
  ]
  for (const headers of cases) {
    for (const path of ['/', '/health', '/trpc/hub.health', '/trpc/hub.stats', '/metrics', '/trpc', '//[']) {
      const answer = await exchange(fort.url + path, { headers: { ...headers, ...FROM_ELSEWHERE } })
      expect([401, 429]).toContain(answer.status)
      expect(answer.body + JSON.stringify(answer.headers)).not.toMatch(/claude|peers|hub|version|token/i)
    }
  }
})
