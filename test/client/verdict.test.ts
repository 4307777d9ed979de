import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { connect } from '../../lib/client/connect.ts'
import { judge } from '../../lib/client/verdict.ts'
import { blockPort } from '../harness/blocker.ts'
import { openHub } from '../harness/hub.ts'

/** What a call to that place tells, and in which words. */
async function verdictOf(url: string, options: { timeoutMs?: number } = {}) {
  const client = connect({ endpoint: { url, token: 'a-token-of-this-machine' }, ...options })
  const cause = await client.hub.hub.stats.query().then(
    () => undefined,
    (reason: Error) => reason,
  )
  await client.close()
  return { verdict: cause && judge(cause), message: cause?.message }
}

async function openStub(answer: RequestListener) {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const error = (code: string) => JSON.stringify({ error: { message: code, code: -32_000, data: { code } } })

test.each([
  ['breaks the connection', (request) => request.socket.destroy()],
  ['breaks off its answer', (_, response) => response.writeHead(200, { 'content-length': 9 }).write('{')],
  ['starts', (_, response) => response.writeHead(503).end(error('SERVICE_UNAVAILABLE'))],
  ['is behind a proxy that does not find it', (_, response) => response.writeHead(502).end('Bad Gateway')],
  ['is behind a page to log in', (_, response) => response.end('<html>')],
  [
    'has too many calls of this machine',
    (_, response) => response.writeHead(429, { 'retry-after': '1' }).end(error('TOO_MANY_REQUESTS')),
  ],
] satisfies [string, RequestListener][])('a hub that %s is away', async (_, answer) => {
  await using stub = await openStub(answer)
  expect((await verdictOf(stub.url)).verdict).toBe('away')
})

test('so is one that nobody hears of, or that refuses the connection', async () => {
  const silent = await blockPort()
  const url = `http://127.0.0.1:${silent.port}`
  expect((await verdictOf(url, { timeoutMs: 300 })).verdict).toBe('away')
  await silent[Symbol.asyncDispose]()
  expect((await verdictOf(url)).verdict).toBe('away')
})

test('a limit of the hub has no time at which it is over, and is its answer', async () => {
  await using stub = await openStub((_, response) => response.writeHead(429).end(error('TOO_MANY_REQUESTS')))
  expect((await verdictOf(stub.url)).verdict).toBe('limit')
})

test('a door that is shut is not taken for a hub that is away', async () => {
  await using hub = await openHub()
  expect(await verdictOf(hub.url)).toMatchObject({ verdict: 'unknown' })
  await using stub = await openStub((_, response) =>
    response
      .writeHead(401)
      .end(
        JSON.stringify({ error: { ...JSON.parse(error('UNAUTHORIZED')).error, message: 'Unauthorized' } }),
      ),
  )
  expect(await verdictOf(stub.url)).toEqual({
    verdict: 'unknown',
    message: expect.stringContaining(
      `The hub at ${stub.url} does not let this machine in (401): its token is wrong`,
    ),
  })
})
