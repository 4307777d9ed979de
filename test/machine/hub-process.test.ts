import { once } from 'node:events'
import { existsSync, readFileSync, readdirSync, unlinkSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { isAlive } from '../../lib/machine/processes.ts'
import { createHome } from '../harness/home.ts'
import { runHub, stockClient } from '../harness/hub.ts'
import { dial } from '../harness/raw.ts'
import { serves, startFrom, statsOf, VERSION } from '../harness/starter.ts'
import { waitFor } from '../harness/wait.ts'

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
    const other = createServer((socket) => socket.end('SSH-2.0-other\r\n')).listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const { error, name, ms } = await startFrom(home, { env: { CLAUDE_PEERS_PORT: String(port) } })
    other.close()
    expect(name).toBe('HubUnavailableError')
    expect(error).toContain(`The hub cannot listen at 127.0.0.1:${port}`)
    expect(error).toContain('set another "port" in ~/.claude-peers.json (or CLAUDE_PEERS_PORT)')
    expect(ms).toBeLessThan(8_000)
  })

  test('hears why it cannot have one: the hub of this home is at another port', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    const free = createServer().listen(0, '127.0.0.1')
    await once(free, 'listening')
    const { port } = free.address() as AddressInfo
    await new Promise((resolve) => free.close(resolve))
    const { error } = await startFrom(home, { env: { CLAUDE_PEERS_PORT: String(port) } })
    expect(error).toContain(
      `It runs at ${hub.url} (pid ${hub.pid}): use the same "port" in ~/.claude-peers.json`,
    )
  })

  test('hears why it cannot have one: the database is broken', async () => {
    await using home = await createHome()
    await writeFile(join(home.path, '.claude-peers.db'), 'no database at all\n'.repeat(200))
    const { error, ms } = await startFrom(home)
    expect(error).toContain('~/.claude-peers.db is not a database of claude-peers')
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
    const left = {
      url: 'http://127.0.0.1:9',
      tokenPath: '/x',
      pid: 2 ** 22 + 1,
      version: '99.0.0',
      database: '/x',
    }
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
