import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { claimDatabase } from '../../apps/hub/claim.ts'
import { toReplaces } from '../../lib/machine/hub-identity.ts'
import { readIdentity } from '../../lib/machine/processes.ts'
import { createHome, type Home } from '../harness/home.ts'
import { runHub, spawnHub, stockClient } from '../harness/hub.ts'
import { waitFor } from '../harness/wait.ts'

const EXIT = { failed: 1, claimed: 3, cannotListen: 4, newerDatabase: 5, badConfig: 6 }

/** How a hub that cannot serve ends, and what it says to whoever started it. */
async function fail(home: Home, env: Record<string, string> = {}, args: string[] = []) {
  const hub = spawnHub(home, { env, args })
  const impatience = setTimeout(() => hub.kill('SIGKILL'), 10_000)
  const code = await hub.exited
  clearTimeout(impatience)
  expect(hub.stderr()).not.toMatch(/\n\s+at |\.[jt]s:\d|node:internal/)
  expect(existsSync(join(home.path, '.claude-peers/hub.json'))).toBe(false)
  return { code, words: hub.stderr() }
}

/** Whether a hub has its log open: it knows by then what to do at a signal. */
async function hasLog(pid: number): Promise<boolean> {
  const directory = `/proc/${pid}/fd`
  const links = (await readdir(directory)).map((name) => readlink(join(directory, name)).catch(() => ''))
  return (await Promise.all(links)).some((path) => path.endsWith('hub.log'))
}

const databaseOf = (home: Home) => join(home.path, '.claude-peers.db')
/** As a person reads it. */
const SHOWN = '~/.claude-peers.db'

describe.concurrent('a hub does not start', () => {
  test('on a database that another hub serves, and the other one does not notice', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    const second = spawnHub(home)
    expect(await second.exited).toBe(EXIT.claimed)
    expect(second.stderr()).toBe(
      `claude-peers: Another hub already serves ${SHOWN}: "claude-peers status" shows it, "claude-peers stop" ends it.\n`,
    )
    expect((await home.rendezvous()).pid).toBe(hub.pid)
    expect(await stockClient(hub).hub.stats.query()).toMatchObject({ pid: hub.pid })
    // One of many that race for the start is no failure.
    expect(await readFile(join(home.path, '.claude-peers/hub.log'), 'utf8')).not.toContain('"level":50')
  })

  test('on a port that another program has, and leaves the database as it is', async () => {
    await using home = await createHome()
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const { code, words } = await fail(home, { CLAUDE_PEERS_PORT: String(port) })
    other.close()
    expect(code).toBe(EXIT.cannotListen)
    expect(words).toContain(`127.0.0.1:${port}`)
    expect(words).toContain('set another "port" in ~/.claude-peers.json (or CLAUDE_PEERS_PORT)')
    expect(existsSync(databaseOf(home))).toBe(false)
  })

  test('on a database of a newer version, and leaves it as it is', async () => {
    await using home = await createHome()
    await runHub(home).then((hub) => hub[Symbol.asyncDispose]())
    const sqlite = new Sqlite(databaseOf(home))
    sqlite.exec(
      "insert into __drizzle_migrations (hash, created_at) values ('of the future', 99999999999999)",
    )
    sqlite.close()
    const before = createHash('sha256')
      .update(await readFile(databaseOf(home)))
      .digest('hex')
    const { code, words } = await fail(home)
    expect(code).toBe(EXIT.newerDatabase)
    expect(words).toContain(SHOWN)
    expect(words).toContain('Update this installation')
    expect(
      createHash('sha256')
        .update(await readFile(databaseOf(home)))
        .digest('hex'),
    ).toBe(before)
  })

  test.each([
    ['is no JSON', '{', 'not valid JSON'],
    ['holds a key that is none', '{"tokn":"x"}', 'tokn'],
  ])('with a configuration that %s, and says which file and key', async (_, text, key) => {
    await using home = await createHome()
    await writeFile(join(home.path, '.claude-peers.json'), text)
    const { code, words } = await fail(home)
    expect(code).toBe(EXIT.badConfig)
    expect(words).toContain('~/.claude-peers.json line 1: ')
    expect(words).toContain(key)
  })

  test('with a variable that cannot be used, and says which', async () => {
    await using home = await createHome()
    const { code, words } = await fail(home, { CLAUDE_PEERS_PORT: '70000' })
    expect(code).toBe(EXIT.badConfig)
    expect(words).toBe(
      'claude-peers: CLAUDE_PEERS_PORT: use a port number from 1 to 65535, or 0 for any free one.\n',
    )
  })

  test('where the hub of this machine is configured to be elsewhere', async () => {
    await using home = await createHome()
    const { code, words } = await fail(home, { CLAUDE_PEERS_BROKER_URL: 'http://studio:7899' })
    expect(code).toBe(EXIT.badConfig)
    expect(words).toContain('http://studio:7899: start it there')
  })

  test.each([
    ['is in a directory that does not exist', (home: Home) => join(home.path, 'no/such/peers.db')],
    ['is a directory', (home: Home) => join(home.path, '.claude-peers')],
  ])('when its database %s, and says which file it is', async (_, toPath) => {
    await using home = await createHome()
    const path = toPath(home)
    const { code, words } = await fail(home, { CLAUDE_PEERS_DB: path })
    expect(code).toBe(EXIT.failed)
    expect(words).toContain(path.replace(home.path, '~'))
    expect(words).toContain('CLAUDE_PEERS_DB')
  })

  test('when its database is no database, and leaves the file as it is', async () => {
    await using home = await createHome()
    await writeFile(databaseOf(home), 'something else entirely\n'.repeat(100))
    const { code, words } = await fail(home)
    expect(code).toBe(EXIT.failed)
    expect(words).toContain(SHOWN)
    expect(await readFile(databaseOf(home), 'utf8')).toMatch(/^something else/)
  })

  test('when it cannot write its rendezvous, and says which file it is', async () => {
    await using home = await createHome()
    const path = join(home.path, '.claude-peers/hub.json')
    await mkdir(join(path, 'in the way'), { recursive: true })
    const hub = spawnHub(home)
    expect(await hub.exited).toBe(EXIT.failed)
    expect(hub.stderr()).toContain(path)
  })
})

describe('the claim of a database', () => {
  test('is one at a time, and free again once it is given up', async () => {
    await using home = await createHome()
    const first = claimDatabase(databaseOf(home))!
    // Whoever fails must not loosen it either: POSIX drops a lock when its process closes the file anywhere.
    for (let round = 0; round < 3; round++) expect(claimDatabase(databaseOf(home))).toBeUndefined()
    expect(await fail(home)).toMatchObject({ code: EXIT.claimed })
    first.release()
    const second = claimDatabase(databaseOf(home))
    expect(second).toBeDefined()
    second!.release()
  })

  test.runIf(process.platform === 'linux')(
    'is waited for by a hub that takes over, until that is asked to end',
    async () => {
      await using home = await createHome()
      await using older = await runHub(home)
      process.kill(older.pid, 'SIGSTOP')
      const newer = spawnHub(home, { args: [toReplaces(readIdentity(older.pid))] })
      const log = () => readFile(join(home.path, '.claude-peers/hub.log'), 'utf8')
      await waitFor(() => hasLog(newer.pid), 'the newer hub to be up')
      newer.kill('SIGTERM')
      expect(await newer.exited).toBe(EXIT.claimed)
      process.kill(older.pid, 'SIGCONT')
      expect(await stockClient(older).hub.stats.query()).toMatchObject({ pid: older.pid })
      expect((await log()).split('"hub serves"')).toHaveLength(2)
    },
  )

  test('ends with its process, however that ends', async () => {
    await using home = await createHome()
    const hub = await runHub(home)
    hub.kill('SIGKILL')
    await hub.exited
    await using next = await runHub(home)
    expect(next.pid).not.toBe(hub.pid)
  })
})

describe('hub --migrate', () => {
  test('brings the database up to date and ends', async () => {
    await using home = await createHome()
    for (const outcome of ['created', 'up to date, nothing to do']) {
      const hub = spawnHub(home, { args: ['--migrate'] })
      expect(await hub.exited).toBe(0)
      expect(hub.stdout()).toBe(`${SHOWN}: ${outcome}.\n`)
    }
  })

  test('names a file that is no database', async () => {
    await using home = await createHome()
    await writeFile(databaseOf(home), 'something else entirely\n'.repeat(100))
    const { code, words } = await fail(home, {}, ['--migrate'])
    expect(code).toBe(EXIT.failed)
    expect(words).toContain(`${SHOWN} is not a database of claude-peers`)
  })

  test('is refused while a hub serves, with what to do', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    const second = spawnHub(home, { args: ['--migrate'] })
    expect(await second.exited).toBe(EXIT.claimed)
    expect(second.stderr()).toContain(`pid ${hub.pid}`)
    expect(second.stderr()).toContain('claude-peers stop')
  })
})
