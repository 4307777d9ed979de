import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runHeadless } from './client.ts'
import { answerRounds, longestRunOfBlocks } from './conversation.ts'
import { CLAUDE_VERSIONS } from './install.ts'
import { contextOf, type ModelRequest } from './model.ts'
import { awaitTools, createLatch, occurrences, sessionFiles, startPeersRig, type PeersRig } from './peers.ts'
import { isAlive, programsOf, waitUntil } from './processes.ts'
import { isInInput } from './screen.ts'
import { startInteractive } from './terminal.ts'

const MAIL = 'The staging database moved to port 6543.'
const WAKE = 'claude-peers: mail from other sessions has arrived.'

/** The sender has the same words in its prompt. */
const hasMail = (request: ModelRequest) =>
  contextOf(request).includes('<peer-message ') && contextOf(request).includes(MAIL)

describe.each(CLAUDE_VERSIONS)('claude %s', (version) => {
  test('an idle session is woken, and the request that it makes holds the mail, once', async ({ signal }) => {
    await using rig = await startPeersRig(version)
    await using terminal = await startInteractive({ ...rig.client('api'), signal })
    await terminal.submit('hello')
    await terminal.waitForScreen(/● done/)
    await hasWaiter(rig, 1)
    await rig.send('api', MAIL)
    const request = await rig.model.waitForRequest(hasMail)
    expect([occurrences(request, MAIL), occurrences(request, WAKE)]).toEqual([1, 1])
    await waitUntil(async () => (await rig.cli('log')).includes('[read at'), {
      timeoutMs: 10_000,
      failure: () => rig.cli('log'),
    })
    await hasWaiter(rig, 1)
  })

  test('a session that was never asked anything is woken too', async ({ signal }) => {
    await using rig = await startPeersRig(version)
    await using terminal = await startInteractive({ ...rig.client('api'), signal })
    await rig.cli('send', 'api', MAIL)
    expect(occurrences(await rig.model.waitForRequest(hasMail), MAIL)).toBe(1)
    expect(await terminal.screen()).not.toContain('❯ hello')
  })

  test('ten turns leave one waiter, and it wakes once for a burst', async ({ signal }) => {
    const isStored = Promise.withResolvers<undefined>()
    // The woken turn is not over before the whole burst is there.
    await using rig = await startPeersRig(version, {
      reply: (request) => (contextOf(request).includes('burst ') ? isStored.promise : undefined),
    })
    await using terminal = await startInteractive({ ...rig.client('api'), signal })
    for (let turn = 1; turn <= 10; turn++) {
      await terminal.submit(`turn ${turn} of ten`)
      await rig.model.waitForRequest((one) => contextOf(one).includes(`turn ${turn} of ten`))
      await isIdle(rig)
    }
    await hasWaiter(rig, 1)
    const before = rig.model.requests.length
    await Promise.all(['one', 'two', 'three'].map((word) => rig.cli('send', 'api', `burst ${word}.`)))
    isStored.resolve(undefined)
    const all = await rig.model.waitForRequest((one) =>
      ['one', 'two', 'three'].every((word) => occurrences(one, `burst ${word}.`) === 1),
    )
    await isIdle(rig)
    await hasWaiter(rig, 1)
    // What came while the first was read is handed over at its stop.
    expect(occurrences(all, WAKE)).toBe(1)
    expect(rig.model.requests.length - before).toBeLessThanOrEqual(3)
  })

  test('more mail than the client lets hold one turn comes with the next, and none is read unseen', async ({
    signal,
  }) => {
    const notes = [1, 2, 3, 4, 5].map((number) => `This is note ${number} of five.`)
    const unsent = [...notes]
    await using rig = await startPeersRig(version, {
      reply: async (request) => {
        const next = contextOf(request).includes('begin') ? unsent.shift() : undefined
        if (next === undefined) return undefined
        await rig.cli('send', 'api', next)
        await rig.mailWaits()
        return { text: 'done' }
      },
    })
    const client = rig.client('api')
    const env = { ...client.env, CLAUDE_CODE_STOP_HOOK_BLOCK_CAP: '2' }
    await using terminal = await startInteractive({ ...client, env, signal })
    await terminal.submit('begin')
    const last = await rig.model.waitForRequest((one) => notes.every((note) => occurrences(one, note) === 1))
    await waitUntil(async () => (await rig.cli('log')).match(/\[read at/g)?.length === notes.length, {
      timeoutMs: 10_000,
      failure: () => rig.cli('log'),
    })
    expect(occurrences(last, WAKE)).toBeGreaterThan(0)
    expect(await terminal.screen()).not.toContain('consecutive')
  })

  test('mail for information wakes nobody, and comes with the next prompt', async ({ signal }) => {
    await using rig = await startPeersRig(version)
    await using terminal = await startInteractive({ ...rig.client('api'), signal })
    await terminal.submit('hello')
    await terminal.waitForScreen(/● done/)
    await rig.cli('send', '--fyi', 'api', MAIL)
    await rig.mailWaits()
    await terminal.submit('the next prompt')
    const request = await rig.model.waitForRequest(hasMail)
    expect(contextOf(request)).toContain('the next prompt')
    expect(occurrences(request, WAKE)).toBe(0)
  })

  test('what the user is typing stays in the box', async ({ signal }) => {
    await using rig = await startPeersRig(version)
    await using terminal = await startInteractive({ ...rig.client('api'), signal })
    await terminal.submit('hello')
    await terminal.waitForScreen(/● done/)
    await terminal.type('half of what I meant to')
    await rig.cli('send', 'api', MAIL)
    const request = await rig.model.waitForRequest(hasMail)
    expect(contextOf(request)).not.toContain('half of what')
    await isIdle(rig)
    expect(isInInput(await terminal.screen(), 'half of what I meant to')).toBe(true)
  })

  test('a session whose turn the user interrupted is woken', async ({ signal }) => {
    await using rig = await startPeersRig(version)
    const latch = createLatch(rig.home, 'tool')
    await using terminal = await startInteractive({ ...rig.client('api'), signal })
    await terminal.submit(`begin ${latch.directive}`)
    await latch.started()
    await terminal.press('Escape')
    await terminal.waitForScreen(/Interrupted/)
    await rig.cli('send', 'api', MAIL)
    expect(occurrences(await rig.model.waitForRequest(hasMail), WAKE)).toBe(1)
    await latch.release()
  })

  test('a session whose turn an error of the API ended is woken', async ({ signal }) => {
    await using rig = await startPeersRig(version, {
      reply: (request) => {
        if (contextOf(request).includes('break now') && !hasMail(request)) throw new Error('broken')
        return undefined
      },
    })
    await using terminal = await startInteractive({ ...rig.client('api'), signal })
    await terminal.submit('break now')
    await terminal.waitForScreen(/API Error/)
    await rig.cli('send', 'api', MAIL)
    expect(occurrences(await rig.model.waitForRequest(hasMail), WAKE)).toBe(1)
  })

  test('a client that leaves or is killed leaves no process of a session', async ({ signal }) => {
    await using rig = await startPeersRig(version)
    const pids: number[] = []
    for (const how of ['exit', 'kill'] as const) {
      await using terminal = await startInteractive({ ...rig.client('api'), signal })
      await terminal.submit('hello')
      await terminal.waitForScreen(/● done/)
      await hasWaiter(rig, 1)
      if (how === 'kill') await terminal.kill()
      else {
        await terminal.submit('/exit')
        await terminal.waitForExit()
      }
      expect(isAlive(terminal.claudePid())).toBe(false)
      await waitUntil(async () => (await sessionProcesses(rig)).length === 0, {
        timeoutMs: 5_000,
        failure: async () => `left after ${how}: ${(await sessionProcesses(rig)).join(' ')}`,
      })
      pids.push(terminal.claudePid())
    }
    // A client may kill its server before that has cleaned up: the next session does.
    await runHeadless({ ...rig.client('web'), prompt: 'hello' })
    const files = await readdir(join(rig.home.path, '.claude-peers/sessions'))
    expect(files.filter((name) => pids.includes(Number.parseInt(name, 10)))).toEqual([])
  })

  test('a headless run has no waiter', async () => {
    await using rig = await startPeersRig(version)
    const latch = createLatch(rig.home, 'tool')
    const run = runHeadless({ ...rig.client('api'), prompt: `begin ${latch.directive}` })
    await latch.started()
    await hasWaiter(rig, 0)
    await latch.release()
    expect(await run).toMatchObject({ exitCode: 0, stdout: 'done\n' })
    await hasWaiter(rig, 0)
  })

  test('two sessions talk for five rounds after one prompt', { timeout: 180_000 }, async ({ signal }) => {
    await using rig = await startPeersRig(version, { reply: answerRounds(10) })
    await using web = await startInteractive({ ...rig.client('web'), signal })
    await using api = await startInteractive({ ...rig.client('api'), signal })
    for (const terminal of [web, api]) await awaitTools(rig, terminal, signal)
    await web.submit('begin [[call mcp__claude-peers__send_message {"to":"api","message":"round 1"}]]')
    const isLast = (one: ModelRequest) => /<peer-message [^>]*>\s*round 10\n/.test(contextOf(one))
    // Ten turns one after the other, each with processes to start: a busy machine takes its time.
    const last = await rig.model.waitForRequest(isLast, { timeoutMs: 120_000 })
    await isIdle(rig)
    await waitUntil(async () => (await rig.cli('log')).match(/\[read at/g)?.length === 10, {
      timeoutMs: 30_000,
      failure: () => rig.cli('log'),
    })
    expect(occurrences(last, '❯')).toBe(0)
    expect(await api.screen()).not.toContain('begin')
    expect(Math.max(...rig.model.requests.map(longestRunOfBlocks))).toBeLessThan(8)
  })
})

/** Resolves when no session of the rig is in a turn. */
async function isIdle(rig: PeersRig) {
  const isSo = async () => !(await sessionFiles(rig)).some((name) => name.endsWith('.busy'))
  await waitUntil(isSo, { timeoutMs: 10_000, failure: () => 'the session stays busy' })
}

async function hasWaiter(rig: PeersRig, count: number) {
  await waitUntil(async () => (await programsOf(rig.home.path, 'waiter.sh')).length === count, {
    timeoutMs: 5_000,
    failure: async () => `the waiters are ${(await programsOf(rig.home.path, 'waiter.sh')).join(' ')}`,
  })
}

/** All of a session, but not the hub, which outlives it. */
async function sessionProcesses(rig: PeersRig) {
  const names = ['waiter.sh', 'mcp.js', 'hook.cjs']
  return (await Promise.all(names.map((name) => programsOf(rig.home.path, name)))).flat()
}
