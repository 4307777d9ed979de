import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { openBell } from '../../apps/mcp/bell.ts'
import { removeCard, sessionFile, setBusy, setMailFlag, writeCard } from '../../lib/machine/cards.ts'
import { bundlePath } from '../../lib/machine/package.ts'
import { isAlive, readIdentity } from '../../lib/machine/processes.ts'
import { kill } from '../e2e/claude/processes.ts'
import { waitFor } from '../harness/wait.ts'

/** This process is Claude and MCP server in one: it holds the bell. */
const claude = process.pid
const LINE = /^claude-peers: mail from other sessions has arrived\. [^\n]+\n$/
const WOKEN = { code: 2, stdout: '', stderr: expect.stringMatching(LINE) }
const ENDED = { code: 0, stdout: '', stderr: '' }
const NOBODY = 2 ** 22 + 1

const SHELL = ['/bin/sh', bundlePath('waiter.sh')]
const NODE = [process.execPath, bundlePath('waiter.cjs')]
const shells: [string, string[]][] = [
  ['/bin/sh', SHELL],
  ['bash', ['/bin/bash', bundlePath('waiter.sh')]],
  ['busybox', ['/bin/busybox', 'sh', bundlePath('waiter.sh')]],
]
const present = shells.filter(([, [program]]) => existsSync(program!))

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

describe.each([...present, ['Node', NODE] as [string, string[]]])('a waiter in %s', (_, words) => {
  test('ends with 2 and one line when mail arrives that may wake, and leaves nothing', async () => {
    const session = await openSession()
    const waiter = await session.wait(words)
    session.mail('wake')
    expect(await waiter.ended).toMatchObject(WOKEN)
    expect(session.files()).not.toContain('waiter')
  })

  test('hears of mail that arrived before it', async () => {
    const session = await openSession()
    session.mail('wake')
    expect(await session.start(words).ended).toMatchObject(WOKEN)
  })

  test('sleeps on for mail for information, for mail that is gone, and while a turn runs', async () => {
    const session = await openSession()
    const waiter = await session.wait(words)
    await waiter.hears(() => session.mail('fyi'))
    await waiter.hears(() => session.mail(undefined))
    setBusy(session.sessions, claude, true)
    await waiter.hears(() => session.mail('wake'))
    setBusy(session.sessions, claude, false)
    session.mail('wake')
    expect(await waiter.ended).toMatchObject(WOKEN)
  })

  test('wakes once for each ring: what waits and is not taken is no news', async () => {
    const session = await openSession()
    for (let ring = 0; ring < 5; ring++) session.mail('wake')
    expect(await session.start(words).ended).toMatchObject(WOKEN)
    // The woken turn has ended.
    setBusy(session.sessions, claude, false)
    const next = await session.wait(words)
    await next.isBlocked()
    expect(next.isRunning()).toBe(true)
    session.mail('wake')
    expect(await next.ended).toMatchObject(WOKEN)
  })

  test('is one a session, also of five that start at once', async () => {
    const session = await openSession()
    const waiters = Array.from({ length: 5 }, () => session.start(words))
    const ends = await Promise.race([
      Promise.all(waiters.map((one) => one.ended)),
      waitFor(() => waiters.filter((one) => !one.isRunning()).length === 4, 'four to end'),
    ])
    expect(ends).toBe(true)
    const holder = waiters.find((one) => one.isRunning())
    expect(session.holder()).toBe(holder!.pid)
    session.mail('wake')
    expect(await holder!.ended).toMatchObject(WOKEN)
  })

  test.each([
    ['ended', () => NOBODY],
    ['ended, whose number another process has', () => 1],
    ['was killed while it took its place', () => ''],
  ])('takes the place of one that has %s, and of five that find it one does', async (_, holder) => {
    const session = await openSession()
    const seat = sessionFile(session.sessions, claude, 'waiter')
    writeFileSync(seat, `${holder()}\n`)
    utimesSync(seat, 0, 0)
    const waiters = Array.from({ length: 5 }, () => session.start(words))
    await waitFor(() => waiters.filter((one) => !one.isRunning()).length === 4, 'four to end')
    const left = waiters.find((one) => one.isRunning())
    expect(session.holder()).toBe(left!.pid)
    session.mail('wake')
    expect(await left!.ended).toMatchObject(WOKEN)
    expect(session.files().filter((name) => name.includes('waiter'))).toEqual([])
  })

  test.each(['sdk-cli', 'sdk-ts', 'sdk-py', 'mcp', 'claude-vscode', 'local-agent', 'remote'])(
    'is none in a client of the kind %s',
    async (kind) => {
      const session = await openSession()
      session.mail('wake')
      expect(await session.start(words, { CLAUDE_CODE_ENTRYPOINT: kind }).ended).toEqual(ENDED)
    },
  )

  test('ends with 0 without an MCP server, a directory, or a number', async () => {
    const session = await openSession({ server: false })
    session.mail('wake')
    expect(await session.start(words).ended).toEqual(ENDED)
    rmSync(session.sessions, { recursive: true })
    expect(await session.start(words).ended).toEqual(ENDED)
    for (const pid of ['', 'x', '-1', '../1', '$(id)']) {
      expect(await session.start(words, {}, [pid]).ended).toEqual(ENDED)
    }
    expect(existsSync(session.sessions)).toBe(false)
  })

  test('that a signal ends leaves nothing and wakes nobody', async () => {
    const session = await openSession()
    for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT'] as const) {
      const waiter = await session.wait(words)
      process.kill(waiter.pid, signal)
      expect((await waiter.ended).code).toBe(0)
      expect(session.files()).not.toContain('waiter')
    }
  })

  test('of a session that only starts waits for the MCP server', async () => {
    const session = await openSession({ server: false })
    const waiter = session.start(words, {}, [String(claude), 'start'])
    await waiter.isBlocked()
    await session.serve()
    session.mail('wake')
    expect(await waiter.ended).toMatchObject(WOKEN)
  })
})

describe.each(present)('a waiter in %s', (_, words) => {
  test('ends with the MCP server, whether or not that leaves the bell behind', async () => {
    for (const isTidy of [true, false]) {
      const session = await openSession()
      const waiter = await session.wait(words)
      await waiter.listens()
      if (isTidy) removeCard(session.sessions, claude)
      session.bell.close()
      expect(await waiter.ended).toEqual(ENDED)
      expect(session.files()).not.toContain('waiter')
    }
  })

  test('ends with 0 when the bell is no FIFO or cannot be read', async () => {
    const session = await openSession({ server: false })
    const bell = sessionFile(session.sessions, claude, 'bell')
    writeFileSync(bell, 'x\n')
    session.mail('wake')
    expect(await session.start(words).ended).toEqual(ENDED)
    rmSync(bell)
    await mkdir(bell)
    expect(await session.start(words).ended).toEqual(ENDED)
  })

  test('moves on to a bell that was made anew', async () => {
    const session = await openSession()
    const waiter = await session.wait(words)
    await waiter.listens()
    rmSync(sessionFile(session.sessions, claude, 'bell'))
    await session.bell.ensure()
    session.mail('wake')
    expect(await waiter.ended).toMatchObject(WOKEN)
  })

  test('whose place was taken gives the ring on and ends', async () => {
    const session = await openSession()
    const waiter = await session.wait(words)
    await waiter.listens()
    rmSync(sessionFile(session.sessions, claude, 'waiter'))
    const other = await session.wait(words)
    session.mail('wake')
    expect(await other.ended).toMatchObject(WOKEN)
    session.bell.close()
    expect(await waiter.ended).toEqual(ENDED)
  })
})

test('the shell at the bell is one process of at most 3 MB', async () => {
  const session = await openSession()
  const waiter = await session.wait(SHELL)
  await waiter.isBlocked()
  const status = readFileSync(`/proc/${waiter.pid}/status`, 'utf8')
  expect(Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1])).toBeLessThanOrEqual(3_072)
  expect(readFileSync(`/proc/${waiter.pid}/task/${waiter.pid}/children`, 'utf8')).toBe('')
})

test('the waiter without a FIFO ends soon after the MCP server was killed', async () => {
  const session = await openSession({ server: false })
  const server = spawn('/bin/sleep', ['1000'])
  session.writeCardOf(server.pid!)
  const waiter = await session.wait(NODE)
  server.kill('SIGKILL')
  expect(await waiter.ended).toEqual(ENDED)
  expect(session.files()).not.toContain('waiter')
})

test('a waiter that has no standard error ends with 0', async () => {
  const session = await openSession()
  session.mail('wake')
  const closed = ['/bin/sh', '-c', 'exec "$@" 2>&-', 'sh', ...SHELL]
  expect(await session.start(closed).ended).toEqual(ENDED)
})

async function openSession({ server = true } = {}) {
  const home = await realpath(await mkdtemp(join(tmpdir(), 'claude-peers-waiter-')))
  const sessions = join(home, '.claude-peers', 'sessions')
  await mkdir(sessions, { recursive: true })
  const bell = openBell(sessions, claude)
  const own = readIdentity(claude)
  const running = new Set<number>()
  cleanups.push(async () => {
    bell.close()
    for (const pid of running) kill(pid)
    await waitFor(() => ![...running].some(isAlive), 'the waiters to end')
    await rm(home, { recursive: true, force: true })
  })
  const writeCardOf = (pid: number) =>
    writeCard(sessions, {
      hubUrl: '',
      token: '',
      peerId: 'p_1',
      name: 'api',
      key: 'p_1.secret',
      toolPrefix: '',
      claude: own,
      mcp: readIdentity(pid),
      sessionIds: [],
    })
  const holder = () => {
    const path = sessionFile(sessions, claude, 'waiter')
    return existsSync(path) ? Number(readFileSync(path, 'utf8')) : undefined
  }

  function start(words: string[], env: Record<string, string> = {}, args = [String(claude)]) {
    const child = spawn(words[0]!, [...words.slice(1), ...args], {
      env: { PATH: '/usr/bin:/bin', HOME: home, CLAUDE_CODE_ENTRYPOINT: 'cli', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const pid = child.pid!
    running.add(pid)
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
      child.on('close', (code) => {
        running.delete(pid)
        resolve({ code, stdout, stderr })
      })
    })
    const isBlocked = () => waitFor(() => isAsleep(pid), 'the waiter to be blocked')
    return {
      pid,
      ended,
      isRunning: () => running.has(pid),
      isBlocked,
      /** Resolves when it has opened the bell. */
      listens: () => waitFor(() => isReadingBell(pid), 'the waiter to open the bell'),
      /** Does what rings, and waits until the waiter has looked and sleeps again. */
      async hears(ring: () => void) {
        await isBlocked()
        const before = charactersRead(pid)
        ring()
        await waitFor(() => charactersRead(pid) > before, 'the waiter to hear the ring')
        await isBlocked()
      },
    }
  }

  const session = {
    sessions,
    bell,
    writeCardOf,
    holder,
    start,
    async serve() {
      await bell.ensure()
      writeCardOf(claude)
    },
    files: () => readdirSync(sessions).map((name) => name.replace(`${claude}.`, '')),
    /** As the MCP server does on news of the mailbox. */
    mail(mail: 'wake' | 'fyi' | undefined) {
      setMailFlag(sessions, claude, mail)
      bell.ring()
    },
    /** Starts one and waits until it has taken its place. */
    async wait(words: string[]) {
      const waiter = start(words)
      await waitFor(() => holder() === waiter.pid, 'the waiter to take its place')
      return waiter
    },
  }
  if (server) await session.serve()
  return session
}

/** What a process has read of anything, in bytes. */
const charactersRead = (pid: number) =>
  Number(/rchar: (\d+)/.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1])

const isReadingBell = (pid: number) =>
  existsSync(`/proc/${pid}/fd/4`) && !existsSync(`/proc/${pid}/fd/3`) && isAsleep(pid)

const isAsleep = (pid: number) => /\) S /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
