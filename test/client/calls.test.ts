import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { TRPCClientError } from '@trpc/client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { connect, type HubClient } from '../../lib/client/connect.ts'
import { HubUnavailableError } from '../../lib/machine/hub-unavailable.ts'
import { openHub, takeSeat, type TestHub } from '../harness/hub.ts'
import { NOWHERE } from '../harness/nowhere.ts'

const clients: HubClient[] = []
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()))
})

function open(options: Parameters<typeof connect>[0]): HubClient['hub'] {
  const client = connect(options)
  clients.push(client)
  return client.hub
}

/** A program in the place of the hub, which answers as a test wants; it counts the calls. */
async function openStub(answer: RequestListener) {
  let calls = 0
  const server = createServer((request, response) => {
    calls++
    answer(request, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls: () => calls,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const health = JSON.stringify({
  result: { data: { status: 'ok', name: 'claude-peers', version: '1.0.0', protocol: 1 } },
})
const token = 'a-token'
/** What a call failed with. */
const failure = (call: Promise<unknown>): Promise<TRPCClientError<never>> =>
  call.then(
    () => {
      throw new Error('the call did not fail')
    },
    (cause: TRPCClientError<never>) => cause,
  )

describe('a call', () => {
  let hub: TestHub
  beforeEach(async () => {
    hub = await openHub()
  })
  afterEach(() => hub[Symbol.asyncDispose]())

  test('is typed by the router, and answered', async () => {
    const client = open({ endpoint: hub })
    const { status } = await client.hub.health.query()
    expect(status satisfies 'ok').toBe('ok')
    // @ts-expect-error there is no such procedure
    await expect(client.hub.nothing.query()).rejects.toMatchObject({
      message: expect.stringMatching(/^The hub at .* is older than this installation .*: update it there\.$/),
      data: { code: 'NOT_FOUND' },
    })
    // @ts-expect-error a limit is a number
    await expect(client.messages.history.query({ limit: 'many' })).rejects.toMatchObject({
      data: { code: 'BAD_REQUEST' },
    })
  })

  test('speaks for the peer whose key the endpoint has', async () => {
    const seat = await takeSeat(hub, 'api')
    const client = open({ endpoint: { ...hub, key: seat.key } })
    expect((await client.peers.list.query()).self).toMatchObject({ name: 'api' })
  })

  test('carries any text there and back', async () => {
    const seat = await takeSeat(hub, 'api')
    const client = open({ endpoint: { ...hub, key: seat.key } })
    const summary = '“quoted” & 100 % ☃ 東京 \u0000 \\ \n\t </tag> ?a=b#c 😀'
    expect(await client.peers.setSummary.mutate({ summary })).toMatchObject({ summary })
    await expect(client.messages.history.query({ with: summary })).rejects.toThrow(
      'Nobody is called "“quoted” &',
    )
  })

  test('is one of five hundred at once', async () => {
    const client = open({ endpoint: hub })
    const answers = await Promise.all(Array.from({ length: 500 }, () => client.hub.health.query()))
    expect(answers).toHaveLength(500)
  })

  test('with a wrong token is refused with what to do', async () => {
    const error = await failure(open({ endpoint: { url: hub.url, token: 'wrong' } }).hub.stats.query())
    expect(error).toBeInstanceOf(TRPCClientError)
    expect(error).toMatchObject({
      message: expect.stringContaining('~/.claude-peers/token'),
      data: { code: 'UNAUTHORIZED' },
    })
  })

  test('finds a hub that was restarted, on its kept connections', async () => {
    const client = open({ endpoint: hub })
    for (let round = 0; round < 5; round++) {
      await Promise.all(Array.from({ length: 8 }, () => client.hub.health.query()))
      await hub.stop()
      await hub.start()
      await Promise.all(Array.from({ length: 8 }, () => client.hub.health.query()))
    }
    expect(hub.lines.filter((line) => line.level >= 50)).toEqual([])
  })

  test('is not made after its signal was given, nor waited for', async () => {
    const client = open({ endpoint: hub })
    await expect(client.hub.health.query(undefined, { signal: AbortSignal.abort() })).rejects.toThrow(
      /abort/i,
    )
    await using stub = await openStub(() => undefined)
    const leaving = new AbortController()
    const call = open({ endpoint: { url: stub.url, token } }).hub.health.query(undefined, {
      signal: leaving.signal,
    })
    setImmediate(() => leaving.abort())
    await expect(call).rejects.toThrow(/abort/i)
  })
})

describe('a call looks again for the hub, and is made once more', () => {
  test('when nothing listens where it was', async () => {
    await using stub = await openStub((_, response) => response.end(health))
    const looks: boolean[] = []
    const client = open({
      endpoint: ({ fresh }) => {
        looks.push(fresh)
        return { url: fresh ? stub.url : 'http://127.0.0.1:9', token }
      },
    })
    await client.hub.health.query()
    expect(looks).toEqual([false, true])
  })

  test('when the connection breaks in the middle', async () => {
    await using stub = await openStub((request, response) => {
      if (stub.calls() === 1) request.socket.destroy()
      else response.end(health)
    })
    await open({ endpoint: { url: stub.url, token } }).hub.health.query()
    expect(stub.calls()).toBe(2)
  })

  test('when the answer breaks off', async () => {
    await using stub = await openStub((_, response) => {
      if (stub.calls() > 1) return response.end(health)
      response.writeHead(200, { 'content-length': health.length })
      response.write(health.slice(0, 10), () => response.destroy())
      return response
    })
    await open({ endpoint: { url: stub.url, token } }).hub.health.query()
    expect(stub.calls()).toBe(2)
  })

  test('when the hub is starting or stopping', async () => {
    await using stub = await openStub((_, response) => {
      if (stub.calls() > 1) return response.end(health)
      return response
        .writeHead(503)
        .end('{"error":{"message":"The hub is starting","code":-32603,"data":{"httpStatus":503}}}')
    })
    await open({ endpoint: { url: stub.url, token } }).hub.health.query()
    expect(stub.calls()).toBe(2)
  })

  test('and not a third time', async () => {
    await using stub = await openStub((request) => request.socket.destroy())
    const error = await failure(open({ endpoint: { url: stub.url, token } }).hub.health.query())
    expect(stub.calls()).toBe(2)
    expect(error).toBeInstanceOf(TRPCClientError)
    expect(error.message).toBe(
      `The hub at ${stub.url} does not answer (ECONNRESET). Try again; "claude-peers status" shows how it is.`,
    )
  })
})

describe('a call fails with what to do', () => {
  test('when the hub takes too long, without a second attempt', async () => {
    await using stub = await openStub(() => undefined)
    const error = await failure(
      open({ endpoint: { url: stub.url, token }, timeoutMs: 500 }).hub.health.query(),
    )
    expect(error.message).toBe(
      `The hub at ${stub.url} did not answer within 500 ms. Try again; "claude-peers status" shows how it is.`,
    )
    expect(stub.calls()).toBe(1)
  })

  test('when the answer begins and does not end', async () => {
    await using stub = await openStub((_, response) => {
      response.writeHead(200, { 'content-length': health.length })
      response.write(health.slice(0, 10))
    })
    const error = await failure(
      open({ endpoint: { url: stub.url, token }, timeoutMs: 500 }).hub.health.query(),
    )
    expect(error.message).toContain('did not answer within 500 ms')
    expect(stub.calls()).toBe(1)
  })

  test.each([`http://${NOWHERE}:7899`, 'http://127.0.0.1:9'])('when there is nobody: %s', async (url) => {
    const error = await failure(open({ endpoint: { url, token } }).hub.health.query())
    expect(error.message).toMatch(
      /^The hub at \S+ does not answer \(E[A-Z_]+\)\. Try again; "claude-peers status" shows how it is\.$/,
    )
  })

  test.each([
    ['a page', (_, response) => response.end('<html>login</html>')],
    ['an empty answer', (_, response) => response.end()],
    ['other JSON', (_, response) => response.end('{"hello":1}')],
    ['null', (_, response) => response.end('null')],
    ['a redirect', (_, response) => response.writeHead(302, { location: 'http://elsewhere/' }).end()],
    [
      'an error that is none of ours',
      (_, response) => response.writeHead(502).end('{"error":"bad gateway"}'),
    ],
    ['an error of a strange form', (_, response) => response.writeHead(400).end('{"error":{"code":"x"}}')],
  ] satisfies [string, RequestListener][])('when something else answers, with %s', async (_, answer) => {
    await using stub = await openStub(answer)
    const error = await failure(open({ endpoint: { url: stub.url, token } }).hub.health.query())
    expect(error).toBeInstanceOf(TRPCClientError)
    expect(error.message).toMatch(new RegExp(`^The hub at ${stub.url} did not take the call\\. `))
  })

  test('when there is no hub and none can be started', async () => {
    const unavailable = new HubUnavailableError('The hub cannot be started: no room.')
    const endpoint = () => Promise.reject(unavailable)
    const error = await failure(open({ endpoint }).hub.health.query())
    expect(error).toMatchObject({ message: unavailable.message, cause: unavailable })
  })
})
