import { createServer } from 'node:http'
import { networkInterfaces } from 'node:os'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { openListeners, type ListenerOptions } from '../../apps/hub/listeners.ts'
import { exchange } from '../harness/raw.ts'
import { waitFor } from '../harness/wait.ts'

const isLinux = process.platform === 'linux'

async function open(options: Partial<ListenerOptions>) {
  const lines: string[] = []
  const reached: number[] = []
  const listeners = await openListeners({
    bind: '127.0.0.1',
    port: 0,
    makeServer: () => createServer((_, response) => response.end('here')),
    log: pino({}, { write: (line: string) => lines.push((JSON.parse(line) as { msg: string }).msg) }),
    onReach: () => reached.push(1),
    ...options,
  })
  return { ...listeners, lines, reached, [Symbol.asyncDispose]: () => listeners.close(100) }
}

const answers = (url: string) =>
  exchange(url).then(
    ({ body }) => body,
    (cause: { code: string }) => cause.code,
  )

// Another address of the loopback stands in for one of a network: nothing here listens elsewhere.
test.runIf(isLinux)('a hub listens on the loopback and at its address, on one port', async () => {
  await using hub = await open({ bind: '100.64.0.1', resolve: async () => '127.0.0.2' })
  expect(hub.url).toBe(`http://127.0.0.1:${hub.port}`)
  expect(await answers(hub.url)).toBe('here')
  expect(await answers(`http://127.0.0.2:${hub.port}`)).toBe('here')
  expect(await answers(`http://127.0.0.3:${hub.port}`)).toBe('ECONNREFUSED')
  expect(hub.addresses()).toEqual(['100.64.0.1'])
  expect(hub.trouble()).toBeUndefined()
})

test.runIf(isLinux)('an address that is not there yet is tried until it is', async () => {
  let address = '192.0.2.1'
  await using hub = await open({ bind: '100.64.0.1', resolve: async () => address, retryMs: 5 })
  expect(hub.trouble()).toContain(`cannot listen at 100.64.0.1:${hub.port} now (EADDRNOTAVAIL)`)
  expect(await answers(hub.url)).toBe('here')
  expect(hub.reached).toEqual([])
  address = '127.0.0.2'
  await waitFor(() => hub.trouble() === undefined, 'the address')
  expect(await answers(`http://127.0.0.2:${hub.port}`)).toBe('here')
  expect(hub.reached).toEqual([1])
  expect(hub.lines).toEqual([expect.stringContaining('EADDRNOTAVAIL'), 'hub listens for other machines'])
})

test.runIf(isLinux)('a port that another program has there is an error, and nothing stays open', async () => {
  const other = createServer()
  await new Promise<void>((done) => other.listen(0, '127.0.0.2', done))
  const { port } = other.address() as { port: number }
  const failed = open({ bind: '100.64.0.1', port, resolve: async () => '127.0.0.2' })
  await expect(failed).rejects.toThrow(
    `The hub cannot listen at 100.64.0.1:${port} (EADDRINUSE). Stop what listens there, or set another "port" in ~/.claude-peers.json`,
  )
  await waitFor(async () => (await answers(`http://127.0.0.1:${port}`)) === 'ECONNREFUSED', 'the end')
  other.close()
})

test('a hub of the loopback alone tells no address', async () => {
  await using hub = await open({})
  expect(hub.addresses()).toEqual([])
  expect(hub.reached).toEqual([])
})

test('the end does not wait for an address that never comes', async () => {
  const hub = await open({ bind: '100.64.0.1', resolve: () => Promise.reject(new Error('no')), retryMs: 5 })
  await hub.close(100)
  const said = hub.lines.length
  await new Promise((resolve) => setImmediate(resolve))
  expect(hub.lines).toHaveLength(said)
  expect(await answers(hub.url)).toBe('ECONNREFUSED')
})

test('by the name of any address a hub tells those of the machine', async () => {
  const makeServer = () => {
    const server = createServer((_, response) => response.end('here'))
    // Nothing here listens elsewhere: only what is asked for is looked at.
    const { listen } = server
    return Object.assign(server, {
      listen: (where: { host?: string; port: number }, done: () => void) => {
        expect(where.host).toBeUndefined()
        return listen.call(server, { ...where, host: '127.0.0.1' }, done)
      },
    })
  }
  await using hub = await open({ bind: 'any', makeServer })
  const own = Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith('fe80'))
  expect(hub.addresses()).toHaveLength(own.length)
  expect(hub.url).toBe(`http://127.0.0.1:${hub.port}`)
  expect(hub.reached).toEqual([1])
})
