import { watch } from 'node:fs'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { waitFor } from '../harness/wait.ts'
import { describe, expect, test } from 'vitest'
import { isAlive } from '../../lib/machine/processes.ts'
import { writeRendezvous } from '../../lib/machine/rendezvous.ts'
import { blockPort } from '../harness/blocker.ts'
import { createHome } from '../harness/home.ts'
import { runHub } from '../harness/hub.ts'
import { serves, startFrom } from '../harness/starter.ts'

// A client waits 15 seconds for a hub that hangs.
describe.concurrent('a hub that runs and does not answer', { timeout: 60_000 }, () => {
  test('is named by status, with its pid and the way out', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    process.kill(hub.pid, 'SIGSTOP')
    const { code, stdout } = await home.cli(['status'])
    const json = await home.cli(['status', '--json'])
    process.kill(hub.pid, 'SIGCONT')
    expect([code, stdout]).toEqual([
      3,
      expect.stringMatching(
        new RegExp(`^The hub \\(pid ${hub.pid}\\) does not answer .*claude-peers(?:\\.cjs)? stop`),
      ),
    ])
    expect(JSON.parse(json.stdout)).toMatchObject({ running: true, answers: false, pid: hub.pid })
  })

  test('is ended by stop, by force when it does not heed SIGTERM', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    process.kill(hub.pid, 'SIGSTOP')
    const { code, stdout } = await home.cli(['stop'])
    expect([code, stdout]).toEqual([
      0,
      `Ended the hub (pid ${hub.pid}), which did not answer. No mail is lost; sessions that run start it again.\n`,
    ])
    expect([isAlive(hub.pid), await hub.exited]).toEqual([false, 'SIGKILL'])
    expect((await startFrom(home)).error).toBeUndefined()
  })

  test('has no second one started beside it, and its clients hear of it', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    process.kill(hub.pid, 'SIGSTOP')
    const made = new Set<string | null>()
    const watcher = watch(join(home.path, '.claude-peers'), (_event, name) => made.add(name))
    const { error } = await startFrom(home)
    watcher.close()
    process.kill(hub.pid, 'SIGCONT')
    expect(error).toMatch(new RegExp(`^The hub \\(pid ${hub.pid}\\) does not answer`))
    expect([...made].filter((name) => name?.startsWith('hub.start'))).toEqual([])
    await waitFor(async () => (await serves(home)) > 0, 'the log of the hub')
    expect(await serves(home)).toBe(1)
  })

  test('is not taken for that of a process which only has its pid', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    const left = await home.rendezvous()
    await using elsewhere = await createHome()
    await using other = await runHub(elsewhere)
    // What a crash left, after the pid went to another process.
    hub.kill('SIGKILL')
    await hub.exited
    writeRendezvous(join(home.path, '.claude-peers/hub.json'), { ...left, pid: other.pid })
    expect(await home.cli(['stop'])).toMatchObject({ code: 0, stdout: 'No hub runs.\n' })
    expect(isAlive(other.pid)).toBe(true)
    writeRendezvous(join(home.path, '.claude-peers/hub.json'), left)
  })
})

describe.concurrent('a hub that serves another database', () => {
  test('is refused by the commands, told by status, and ended by stop', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    const env = { CLAUDE_PEERS_DB: join(home.path, 'other.db') }
    const told = `The hub at ${hub.url} (pid ${hub.pid}) serves ~/.claude-peers.db, and here ~/other.db is configured: use the same CLAUDE_PEERS_DB everywhere`
    for (const args of [['peers'], ['send', 'api', 'x'], ['log']]) {
      const { code, stdout, stderr } = await home.cli(args, { env })
      expect([args, code, stdout, stderr]).toEqual([args, 3, '', expect.stringContaining(told)])
    }
    const status = await home.cli(['status'], { env })
    expect([status.code, status.stdout]).toEqual([3, expect.stringContaining(told)])
    expect((await home.cli(['stop'], { env })).stdout).toContain(`Stopped the hub (pid ${hub.pid})`)
    await startFrom(home, { env })
    expect((await home.cli(['status'], { env })).stdout).toContain('Database: ~/other.db')
  })

  test('is not seen where a link leads to the same file', async () => {
    await using home = await createHome()
    await using _hub = await runHub(home)
    await symlink(home.path, `${home.path}/link`)
    const env = { CLAUDE_PEERS_DB: `${home.path}/link/.claude-peers.db` }
    expect((await home.cli(['peers'], { env })).code).toBe(0)
  })
})

describe.concurrent('status says', () => {
  test('that the token of a remote hub is missing', async () => {
    await using home = await createHome()
    const env = { CLAUDE_PEERS_BROKER_URL: 'http://hub.example:7899' }
    const { code, stdout } = await home.cli(['status'], { env })
    expect([code, stdout]).toEqual([3, expect.stringMatching(/no token is configured: set "token"/)])
  })

  test('that the hub is at another port, and stop ends it', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    await using free = await blockPort()
    await free[Symbol.asyncDispose]()
    const env = { CLAUDE_PEERS_PORT: String(free.port) }
    const { code, stdout } = await home.cli(['status'], { env })
    expect([code, stdout]).toEqual([
      3,
      expect.stringContaining(`The hub runs at ${hub.url} (pid ${hub.pid})`),
    ])
    expect((await home.cli(['stop'], { env })).stdout).toContain(`Stopped the hub (pid ${hub.pid})`)
    expect(await hub.exited).toBe(0)
  })

  test('that another program has the port', async () => {
    await using home = await createHome()
    await using taken = await blockPort()
    const { code, stdout } = await home.cli(['status'], { env: { CLAUDE_PEERS_PORT: String(taken.port) } })
    expect([code, stdout]).toEqual([
      3,
      expect.stringMatching(/^Another program answers at .*CLAUDE_PEERS_PORT/),
    ])
  })
})
