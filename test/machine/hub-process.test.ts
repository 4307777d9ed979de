import { once } from 'node:events'
import { existsSync, readFileSync, readdirSync, unlinkSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createServer as createTcpServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { isAlive } from '../../lib/machine/processes.ts'
import { createHome, type Home } from '../harness/home.ts'
import { runHub, spawnHub, stockClient } from '../harness/hub.ts'
import { dial } from '../harness/raw.ts'
import { startFrom } from '../harness/starter.ts'
import { waitFor } from '../harness/wait.ts'

const { version: VERSION } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }

/** A client with the token of a home. */
const clientOf = async (home: Home, url: string) =>
  stockClient({ url, headers: { authorization: `Bearer ${await home.token()}` } })

const statsOf = async (home: Home, url: string) => (await clientOf(home, url)).hub.stats.query()

/** How often a hub of this home has begun to serve. */
async function serves(home: Home): Promise<number> {
  const log = await readFile(join(home.path, '.claude-peers/hub.log'), 'utf8')
  return log.split('"hub serves"').length - 1
}

describe.concurrent('a program that needs the hub', () => {
  test('starts it, and finds it the next time', async () => {
    await using home = await createHome()
    const first = await startFrom(home)
    const { pid } = await home.rendezvous()
    expect(first).toMatchObject({ url: (await home.rendezvous()).url, version: VERSION })
    expect(await startFrom(home)).toMatchObject({ url: first.url })
    expect(await statsOf(home, first.url!)).toMatchObject({ pid })
  })

  test('starts exactly one when eight race for it', async () => {
    await using home = await createHome()
    const all = await Promise.all(Array.from({ length: 8 }, () => startFrom(home)))
    expect(new Set(all.map((one) => one.url)).size).toBe(1)
    expect(all.map((one) => one.error)).toEqual(all.map(() => undefined))
    expect(await serves(home)).toBe(1)
    expect(await statsOf(home, all[0]!.url!)).toMatchObject({ pid: (await home.rendezvous()).pid })
  })

  test('leaves no file of the start behind', async () => {
    await using home = await createHome()
    await Promise.all([startFrom(home), startFrom(home), startFrom(home)])
    expect(readdirSync(join(home.path, '.claude-peers')).filter((name) => name.includes('start'))).toEqual([])
  })

  test('starts it again when it was killed', async () => {
    await using home = await createHome()
    await startFrom(home)
    const { pid } = await home.rendezvous()
    await home.stopHub('SIGKILL')
    expect(existsSync(join(home.path, '.claude-peers/hub.json'))).toBe(true)
    const { url } = await startFrom(home)
    expect(await statsOf(home, url!)).toMatchObject({ pid: (await home.rendezvous()).pid })
    expect((await home.rendezvous()).pid).not.toBe(pid)
  })

  test('starts it while the one before is still on its way out', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    // A client that does not answer the closing handshake holds the end of a hub up for a second.
    dial(
      hub.url,
      `GET /trpc HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${hub.token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
      { allowHalfOpen: true },
    )
    await waitFor(async () => (await stockClient(hub).hub.stats.query()).sockets === 1, 'the socket')
    hub.kill('SIGTERM')
    await waitFor(
      () => !existsSync(join(home.path, '.claude-peers/hub.json')),
      'the hub to be on its way out',
    )
    const next = await startFrom(home)
    expect(next.error).toBeUndefined()
    expect(next.ms).toBeLessThan(8_000)
    expect((await home.rendezvous()).pid).not.toBe(hub.pid)
  })

  test('waits for one that takes long to get ready', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    process.kill(hub.pid, 'SIGSTOP')
    const started = startFrom(home)
    // It has looked, started a hub of its own, and seen that one leave.
    setTimeout(() => process.kill(hub.pid, 'SIGCONT'), 1_500)
    expect(await started).toMatchObject({ url: hub.url })
    expect(await serves(home)).toBe(1)
  })

  test('gets a hub that belongs to no terminal, no directory and no parent', async () => {
    await using home = await createHome()
    const cwd = await home.project('somewhere')
    await startFrom(home, { cwd })
    const { pid } = await home.rendezvous()
    if (process.platform !== 'linux') return
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [, parent, , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    expect({ parent: Number(parent) === process.pid, session: Number(session) }).toEqual({
      parent: false,
      session: pid,
    })
    await rm(cwd, { recursive: true })
    expect(isAlive(pid)).toBe(true)
  })

  test('gives the hub nothing of a session’s secrets', async () => {
    await using home = await createHome()
    await startFrom(home, {
      env: {
        ANTHROPIC_API_KEY: 'sk-secret',
        ANTHROPIC_AUTH_TOKEN: 'secret',
        CLAUDE_CODE_OAUTH_TOKEN: 'secret',
        CLAUDE_CODE_SESSION_ID: 'secret',
        AWS_SECRET_ACCESS_KEY: 'secret',
        NODE_OPTIONS: '--no-warnings',
        LC_ALL: 'C.UTF-8',
      },
    })
    if (process.platform !== 'linux') return
    const { pid } = await home.rendezvous()
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean)
    const names = environment.map((line) => line.split('=')[0]!)
    expect(names.filter((name) => /ANTHROPIC|CLAUDE_CODE|AWS|NODE_OPTIONS/.test(name))).toEqual([])
    expect(names).toEqual(expect.arrayContaining(['HOME', 'PATH', 'LC_ALL', 'CLAUDE_PEERS_PORT']))
    expect(environment.join()).not.toContain('secret')
  })

  test('hears why it cannot have one: another program has the port', async () => {
    await using home = await createHome()
    const other = createTcpServer((socket) => socket.end('SSH-2.0-other\r\n')).listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const { error, name, ms } = await startFrom(home, { env: { CLAUDE_PEERS_PORT: String(port) } })
    other.close()
    expect(name).toBe('HubUnavailableError')
    expect(error).toContain(`The hub cannot listen at 127.0.0.1:${port}`)
    expect(error).toContain('Set CLAUDE_PEERS_PORT')
    expect(ms).toBeLessThan(8_000)
  })

  test('hears why it cannot have one: the hub of this home is at another port', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    const free = createTcpServer().listen(0, '127.0.0.1')
    await once(free, 'listening')
    const { port } = free.address() as AddressInfo
    await new Promise((resolve) => free.close(resolve))
    const { error } = await startFrom(home, { env: { CLAUDE_PEERS_PORT: String(port) } })
    expect(error).toContain(`It runs at ${hub.url} (pid ${hub.pid}): use the same CLAUDE_PEERS_PORT`)
  })

  test('hears why it cannot have one: the database is broken', async () => {
    await using home = await createHome()
    await writeFile(join(home.path, '.claude-peers.db'), 'no database at all\n'.repeat(200))
    const { error, ms } = await startFrom(home)
    expect(error).toContain(`${join(home.path, '.claude-peers.db')} is not a database of claude-peers`)
    expect(ms).toBeLessThan(8_000)
  })

  test('hears why it cannot have one: its home cannot be written', async () => {
    await using home = await createHome()
    await writeFile(join(home.path, '.claude-peers'), 'a file where the directory belongs')
    const { error, name } = await startFrom(home)
    expect(name).toBe('HubUnavailableError')
    expect(error).toContain(join(home.path, '.claude-peers'))
  })

  test('is not misled by what a hub left that is gone', async () => {
    await using home = await createHome()
    await mkdir(join(home.path, '.claude-peers'))
    const left = { url: 'http://127.0.0.1:9', tokenPath: '/x', pid: 2 ** 22 + 1, version: '99.0.0' }
    await writeFile(join(home.path, '.claude-peers/hub.json'), JSON.stringify(left))
    expect(await startFrom(home)).toMatchObject({ version: VERSION })
  })

  test('is not misled by a rendezvous that cannot be read', async () => {
    await using home = await createHome()
    await mkdir(join(home.path, '.claude-peers'))
    await writeFile(join(home.path, '.claude-peers/hub.json'), '{"url":"nonsense"')
    expect(await startFrom(home)).toMatchObject({ version: VERSION })
  })

  test('finds a hub whose rendezvous or token was deleted', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    for (const name of ['hub.json', 'token']) {
      unlinkSync(join(home.path, '.claude-peers', name))
      expect(await startFrom(home)).toMatchObject({ url: hub.url })
      expect(await home.token()).toBe(hub.token)
    }
    expect(await serves(home)).toBe(1)
  })
})

describe.concurrent('a program on the hub’s port that is not the hub', () => {
  /** Says that it is a hub, and keeps what it is sent. */
  async function openImpostor(version: string) {
    const heard: string[] = []
    const server = createServer((request, response) => {
      heard.push(`${request.method} ${request.url} ${JSON.stringify(request.headers)}`)
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ status: 'ok', name: 'claude-peers', version, proof: 'x'.repeat(43) }))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    return { port, url: `http://127.0.0.1:${port}`, heard, [Symbol.dispose]: () => void server.close() }
  }

  test.each(['0.1.0', '99.0.0'])('gets no token, whatever version it says (%s)', async (version) => {
    await using home = await createHome()
    await runHub(home).then((hub) => hub[Symbol.asyncDispose]())
    const token = await home.token()
    using impostor = await openImpostor(version)
    const { error } = await startFrom(home, { env: { CLAUDE_PEERS_PORT: String(impostor.port) } })
    expect(error).toContain(`The hub cannot listen at 127.0.0.1:${impostor.port}`)
    expect(impostor.heard.length).toBeGreaterThan(0)
    expect(impostor.heard.join()).not.toContain(token)
    expect(impostor.heard.join()).not.toContain('hub.stop')
  })

  test('is not taken for the hub when a rendezvous that was left leads there', async () => {
    await using home = await createHome()
    await runHub(home).then((hub) => hub[Symbol.asyncDispose]())
    using impostor = await openImpostor('3.0.0')
    const left = { url: impostor.url, tokenPath: '/x', pid: 2 ** 22 + 1, version: '3.0.0' }
    await writeFile(join(home.path, '.claude-peers/hub.json'), JSON.stringify(left))
    const { url } = await startFrom(home)
    expect(url).not.toBe(impostor.url)
    expect(impostor.heard.join()).not.toContain(await home.token())
  })
})

describe.concurrent('a program of another version', () => {
  test('that is newer has the older hub hand over', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    const answer = await startFrom(home, { version: '99.0.0' })
    expect(await hub.exited).toBe(0)
    expect(answer.error).toBeUndefined()
    const { pid } = await statsOf(home, answer.url!)
    expect(pid).not.toBe(hub.pid)
    expect(pid).toBe((await home.rendezvous()).pid)
  })

  test('that is newer, eight times at once, has it hand over once', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    const all = await Promise.all(Array.from({ length: 8 }, () => startFrom(home, { version: '99.0.0' })))
    expect(all.map((one) => one.error)).toEqual(all.map(() => undefined))
    expect(await hub.exited).toBe(0)
    // This hub stays older than what it is compared with, so the slowest of the eight may ask it once more.
    expect(await serves(home)).toBeLessThanOrEqual(9)
    const { pid } = await statsOf(home, (await home.rendezvous()).url)
    expect(isAlive(pid)).toBe(true)
  })

  test.each(['0.0.1', VERSION])('that is not newer (%s) leaves the hub alone', async (version) => {
    await using home = await createHome()
    await using hub = await runHub(home)
    expect(await startFrom(home, { version })).toMatchObject({ url: hub.url })
    expect((await home.rendezvous()).pid).toBe(hub.pid)
  })

  test('never asks a hub on another machine', async () => {
    await using home = await createHome()
    await using studio = await createHome({ host: 'studio' })
    await using hub = await runHub(studio, { env: { CLAUDE_PEERS_TOKEN: 'the-token-of-the-fleet' } })
    const env = { CLAUDE_PEERS_BROKER_URL: hub.url, CLAUDE_PEERS_TOKEN: 'the-token-of-the-fleet' }
    expect(await startFrom(home, { version: '99.0.0', env })).toMatchObject({
      url: hub.url,
      version: VERSION,
    })
    expect((await studio.rendezvous()).pid).toBe(hub.pid)
    expect(existsSync(join(home.path, '.claude-peers'))).toBe(false)
  })
})

describe.concurrent('a hub on another machine', () => {
  test('is never started, and its absence is told', async () => {
    await using home = await createHome()
    const env = {
      CLAUDE_PEERS_BROKER_URL: 'http://127.0.0.1:9',
      CLAUDE_PEERS_TOKEN: 'the-token-of-the-fleet',
    }
    const { error, name } = await startFrom(home, { env })
    expect(name).toBe('HubUnavailableError')
    expect(error).toBe(
      'The hub at http://127.0.0.1:9 does not answer. It runs on another machine: start it there, or check the network.',
    )
    expect(existsSync(join(home.path, '.claude-peers'))).toBe(false)
  })

  test('is not called without a token', async () => {
    await using home = await createHome()
    await using studio = await createHome({ host: 'studio' })
    await using hub = await runHub(studio)
    const { error } = await startFrom(home, { env: { CLAUDE_PEERS_BROKER_URL: hub.url } })
    expect(error).toContain('no token is configured')
    expect(error).toContain('CLAUDE_PEERS_TOKEN')
  })
})

describe.concurrent('a hub ends by itself', () => {
  test.each(['.claude-peers.db', '.claude-peers.db.lock'])('when %s is taken from under it', async (name) => {
    await using home = await createHome()
    await using hub = await runHub(home)
    unlinkSync(join(home.path, name))
    expect(await hub.exited).toBe(1)
    expect(await startFrom(home)).toMatchObject({ version: VERSION })
    expect(await serves(home)).toBe(2)
  })

  test('when its home is gone, and does not bring it back', async () => {
    await using home = await createHome()
    const hub = spawnHub(home)
    await waitFor(async () => (await serves(home).catch(() => 0)) === 1, 'the hub')
    await rm(home.path, { recursive: true })
    expect(await hub.exited).toBe(1)
    expect(existsSync(home.path)).toBe(false)
  })
})
