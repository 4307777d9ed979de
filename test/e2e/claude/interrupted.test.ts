/** A person, or a hook of another program, that stands between a session and its mail; and ends that do not. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runHeadless } from './client.ts'
import { CLAUDE_VERSIONS } from './install.ts'
import { contextOf } from './model.ts'
import { createLatch, startPeersRig, type PeersRig } from './peers.ts'
import { waitUntil } from './processes.ts'
import { addHook, entryOf, hasMail, isIn, isTakenBack, MAIL } from './receipt.ts'
import { isInInput } from './screen.ts'
import { startInteractive, type Interactive } from './terminal.ts'

const MARKED = /<peer-message [^>]*redelivered=/
const never = new Promise<undefined>(() => undefined)

describe.each(CLAUDE_VERSIONS)('claude %s', (version) => {
  test('mail of a prompt that Esc took back waits again with the next prompt, marked', async ({ signal }) => {
    let holds = true
    await using rig = await startPeersRig(version, {
      reply: (request) => (holds && hasMail(request) ? never : undefined),
    })
    await using terminal = await startGreeted(rig, signal)
    await sendQuietly(rig)
    await terminal.submit('this one is taken back')
    await rig.model.waitForRequest(hasMail)
    await isIn(rig, 'delivered')
    holds = false
    await terminal.press('Escape')
    // A key that comes right behind Escape makes another one with it.
    await waitUntil(async () => isInInput(await terminal.screen(), 'this one is taken back'), {
      timeoutMs: 10_000,
      failure: () => terminal.screen(),
    })
    await isEmptied(terminal)
    await terminal.submit('the second prompt')
    await isTakenBack(rig)
    expect(await nextMail(rig, terminal)).toMatch(MARKED)
    await isIn(rig, 'read')
  })

  test('mail that a tool call brought while Esc ended its other hooks waits again', async ({ signal }) => {
    await using rig = await startPeersRig(version)
    const [started, released] = [join(rig.home.path, 'hook.started'), join(rig.home.path, 'hook.released')]
    await addHook(rig, 'PostToolUse', `touch ${started}; while [ ! -e ${released} ]; do sleep 0.05; done`)
    await using terminal = await startGreeted(rig, signal)
    await deliverAtTool(rig, terminal)
    await waitUntil(() => existsSync(started), { timeoutMs: 10_000, failure: () => 'no hook ran' })
    await terminal.press('Escape')
    await terminal.waitForScreen(/[Ii]nterrupted/)
    await writeFile(released, '')
    await isTakenBack(rig)
    expect(await nextMail(rig, terminal)).toMatch(MARKED)
    await isIn(rig, 'read')
  })

  test('mail of a prompt that another hook stops reaches the model with the next one', async ({ signal }) => {
    await using rig = await startPeersRig(version)
    const stop = `grep -q halted || exit 0; sleep 1; echo '{"continue":false,"stopReason":"halt"}'`
    await addHook(rig, 'UserPromptSubmit', stop)
    await using terminal = await startGreeted(rig, signal)
    await sendQuietly(rig)
    await terminal.submit('this one is halted')
    await isIn(rig, 'delivered')
    await terminal.waitForScreen(/halt[^]*halt/)
    await isEmptied(terminal)
    await terminal.submit('the second prompt')
    await rig.model.waitForRequest((one) => contextOf(one).includes('the second prompt'))
    await terminal.submit('the third prompt')
    await rig.model.waitForRequest((one) => contextOf(one).includes('the third prompt') && hasMail(one))
    await isIn(rig, 'read')
    expect(await entryOf(rig)).toMatchObject({ state: 'read', endedAt: null })
  })

  test('mail that a compaction met before an answer waits again, marked', async ({ signal }) => {
    let compacts = false
    await using rig = await startPeersRig(version, {
      reply: () => (compacts ? { text: 'what was said so far' } : undefined),
    })
    await addHook(rig, 'PostToolUse', `sleep 0.5; echo '{"continue":false,"stopReason":"halt"}'`)
    await using terminal = await startGreeted(rig, signal)
    await deliverAtTool(rig, terminal)
    await terminal.waitForScreen(/halt/)
    compacts = true
    await terminal.submit('/compact')
    await isTakenBack(rig)
    compacts = false
    expect(await nextMail(rig, terminal)).toMatch(MARKED)
    await isIn(rig, 'read')
  })

  test('mail that check_messages took waits again when the run ends before an answer', async () => {
    const isAsked = Promise.withResolvers<void>()
    const maySay = Promise.withResolvers<void>()
    await using rig = await startPeersRig(version, {
      async reply(request) {
        if (!contextOf(request).includes('look yourself')) return
        isAsked.resolve()
        await maySay.promise
        return undefined
      },
    })
    const client = rig.client('api')
    const run = runHeadless({
      ...client,
      env: { ...client.env, MCP_CONNECTION_NONBLOCKING: '0' },
      prompt: 'look yourself [[call mcp__claude-peers__check_messages {}]]',
      args: ['--max-turns', '1'],
    })
    await isAsked.promise
    await rig.cli('send', 'api', MAIL)
    await rig.mailWaits()
    maySay.resolve()
    await run
    await isIn(rig, 'queued')
    expect(await entryOf(rig)).toMatchObject({ attempts: 1, requeuedAt: expect.any(Number) })
  })

  test('a hook that blocks every woken turn is met three times at most', async ({ signal }) => {
    await using rig = await startPeersRig(version)
    const [blocks, runs] = [join(rig.home.path, 'blocks'), join(rig.home.path, 'runs')]
    const block = `[ -e ${blocks} ] || exit 0; echo run >>${runs}; sleep 0.5; echo policy >&2; exit 2`
    await addHook(rig, 'UserPromptSubmit', block)
    await using terminal = await startGreeted(rig, signal)
    await writeFile(blocks, '')
    await rig.cli('send', 'api', MAIL)
    // Only mail that wakes says so in the flag.
    await waitUntil(() => flagOf(rig) === 'fyi', {
      timeoutMs: 45_000,
      failure: async () =>
        `${flagOf(rig)} ${readFileSync(runs, 'utf8')} ${JSON.stringify(await entryOf(rig))}`,
    })
    expect(readFileSync(runs, 'utf8')).toBe('run\n'.repeat(3))
    expect(rig.model.requests.some(hasMail)).toBe(false)
    await rm(blocks)
    await isEmptied(terminal)
    await terminal.submit('the next prompt')
    await rig.model.waitForRequest(hasMail)
    await isIn(rig, 'read')
  })

  test('mail that was answered right before /exit is read, and does not come again', async ({ signal }) => {
    await using rig = await startPeersRig(version)
    await using terminal = await startGreeted(rig, signal)
    await sendQuietly(rig)
    await terminal.submit('the last prompt')
    await rig.model.waitForRequest(hasMail)
    await terminal.waitForScreen(/the last prompt[^]*● done/)
    await terminal.submit('/exit')
    await terminal.waitForExit()
    await isIn(rig, 'read')
    expect(await entryOf(rig)).toMatchObject({ attempts: 1, requeuedAt: null })
  })
})

/** Starts a session that has had one turn. */
async function startGreeted(rig: PeersRig, signal: AbortSignal): Promise<Interactive> {
  const terminal = await startInteractive({ ...rig.client('api'), signal })
  await terminal.submit('hello')
  await terminal.waitForScreen(/● done/)
  return terminal
}

/** Has a tool call of a new turn bring the mail. */
async function deliverAtTool(rig: PeersRig, terminal: Interactive) {
  const latch = createLatch(rig.home, 'tool')
  await terminal.submit(`begin ${latch.directive}`)
  await latch.started()
  await sendQuietly(rig)
  await latch.release()
  await isIn(rig, 'delivered')
}

/** Sends mail that wakes nobody, and waits until it waits. */
async function sendQuietly(rig: PeersRig) {
  await rig.cli('send', '--fyi', 'api', MAIL)
  await rig.mailWaits()
}

/** The client may have left a prompt in the box that it did not take. */
const isEmptied = (terminal: Interactive) => terminal.press('C-e', 'C-u')

/** What the model sees with the next prompt, which brings the mail. */
async function nextMail(rig: PeersRig, terminal: Interactive): Promise<string> {
  await rig.mailWaits()
  const from = rig.model.requests.length
  await terminal.submit('the last prompt')
  const request = await rig.model.waitForRequest(
    (one) => contextOf(one).includes('the last prompt') && hasMail(one),
    { from },
  )
  return contextOf(request)
}

function flagOf(rig: PeersRig): string | undefined {
  const sessions = join(rig.home.path, '.claude-peers/sessions')
  const name = readdirSync(sessions).find((one) => one.endsWith('.mail'))
  return name && readFileSync(join(sessions, name), 'utf8')
}
