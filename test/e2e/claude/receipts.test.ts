import { describe, expect, test } from 'vitest'
import type { LogEntry } from '../../../lib/router/shapes/messages.ts'
import { runHeadless } from './client.ts'
import { CLAUDE_VERSIONS } from './install.ts'
import { contextOf, type ModelRequest, type Reply } from './model.ts'
import { awaitTools, createLatch, occurrences, startPeersRig, type PeersRig } from './peers.ts'
import { waitUntil } from './processes.ts'
import { startInteractive } from './terminal.ts'

const MAIL = 'The staging database moved to port 6543.'

describe.each(CLAUDE_VERSIONS)('claude %s', (version) => {
  test('mail that a tool call brought is read after the request that carried it', async () => {
    await using rig = await startPeersRig(version)
    const [first, second] = [createLatch(rig.home, 'first'), createLatch(rig.home, 'second')]
    const prompt = `busy-session ${first.directive} then ${second.directive}`
    const busy = runHeadless({ ...rig.client('api'), prompt })
    await first.started()
    await rig.send('api', MAIL)
    await rig.mailWaits()
    expect(await entryOf(rig)).toMatchObject({ state: 'queued', readAt: null })
    await first.release()
    await second.started()
    expect(rig.model.requests.some(carriesMail)).toBe(true)
    await isRead(rig)
    await second.release()
    expect(await busy).toMatchObject({ exitCode: 0 })
  })

  test('mail that held the last turn of a headless run is read, and does not come again', async () => {
    const answers = [Promise.withResolvers<Reply>(), Promise.withResolvers<Reply>()]
    await using rig = await startPeersRig(version, {
      reply: (request) => {
        if (!contextOf(request).includes('finishing-session')) return undefined
        return answers[carriesMail(request) ? 1 : 0]!.promise
      },
    })
    const finishing = runHeadless({ ...rig.client('api'), prompt: 'finishing-session' })
    await rig.model.waitForRequest((request) => contextOf(request).includes('finishing-session'))
    await rig.send('api', MAIL)
    answers[0]!.resolve({ text: 'I am done' })
    await rig.model.waitForRequest(carriesMail, { from: rig.model.requests.length })
    answers[1]!.resolve({ text: 'I have read it' })
    expect(await finishing).toMatchObject({ exitCode: 0 })
    // The run ends right behind its answer: what it did not read would wait again.
    await isRead(rig)
    expect(await entryOf(rig)).toMatchObject({ attempts: 1, requeuedAt: null })
  })

  test('mail that came with a prompt is read, before and after /clear', async ({ signal }) => {
    await using rig = await startPeersRig(version)
    await using terminal = await startInteractive({ ...rig.client('api'), signal })
    await terminal.submit('hello')
    await terminal.waitForScreen(/● done/)
    // Other mail would wake the session, and come with that turn.
    await rig.send('api', MAIL, { urgency: 'fyi' })
    await terminal.submit('the next prompt')
    await rig.model.waitForRequest((one) => contextOf(one).includes('the next prompt') && carriesMail(one))
    await isRead(rig)
    await terminal.waitForScreen(/the next prompt[^]*● done/)
    await terminal.submit('/clear')
    await terminal.waitForScreen(/^(?![\s\S]*● done)/)
    await terminal.submit('after the clear')
    await terminal.waitForScreen(/● done/)
    await rig.send('api', `${MAIL} And back.`, { urgency: 'fyi' })
    await terminal.submit('read your mail')
    await rig.model.waitForRequest(
      (one) => contextOf(one).includes('read your mail') && occurrences(one, 'And back.') === 1,
    )
    await isRead(rig)
    expect(await rig.cli('log', '--json').then((text) => JSON.parse(text) as LogEntry[])).toMatchObject([
      { state: 'read', attempts: 1, requeuedAt: null },
      { state: 'read', attempts: 1, requeuedAt: null },
    ])
  })

  test('mail that a resumed session finds is read in the transcript that it goes on with', async () => {
    await using rig = await startPeersRig(version)
    await runHeadless({ ...rig.client('api'), prompt: 'the session before' })
    const { sessionId } = rig.model.requests.at(-1)!
    await rig.send('api', MAIL)
    const latch = createLatch(rig.home, 'resumed')
    const prompt = `the session goes on ${latch.directive}`
    const resumed = runHeadless({ ...rig.client('api'), prompt, args: ['--resume', sessionId!] })
    await latch.started()
    const request = rig.model.requests.at(-1)!
    expect([request.sessionId, carriesMail(request)]).toEqual([sessionId, true])
    expect(contextOf(request)).toContain('the session before')
    await isRead(rig)
    await latch.release()
    expect(await resumed).toMatchObject({ exitCode: 0 })
  })

  test('mail that check_messages took is read', async ({ signal }) => {
    const isAsked = Promise.withResolvers<void>()
    const maySay = Promise.withResolvers<void>()
    await using rig = await startPeersRig(version, {
      // The mail comes while the model thinks: after the prompt's hook, and before any other.
      async reply(request) {
        if (!contextOf(request).includes('look yourself')) return
        isAsked.resolve()
        await maySay.promise
        return undefined
      },
    })
    await using terminal = await startInteractive({ ...rig.client('api'), signal })
    // At once after its start the client may send a prompt before its hooks can know where the transcript goes.
    await awaitTools(rig, terminal, signal)
    const latch = createLatch(rig.home, 'latch')
    const check = '[[call mcp__claude-peers__check_messages {}]]'
    await terminal.submit(`look yourself ${check} then ${latch.directive}`)
    await isAsked.promise
    await rig.send('api', MAIL)
    await rig.mailWaits()
    maySay.resolve()
    await latch.started()
    const request = rig.model.requests.find(carriesMail)!
    expect(contextOf(request)).toContain('"message_ids":[1]')
    await isRead(rig)
    await latch.release()
  })
})

/** In a frame; a tool's answer is data, in which a line ends with an escape. */
const carriesMail = (request: ModelRequest) =>
  [`">\n${MAIL}`, `>\\n${MAIL}`].some((text) => contextOf(request).includes(text))

async function entryOf(rig: PeersRig): Promise<LogEntry> {
  return (JSON.parse(await rig.cli('log', '--json', '--limit', '1')) as LogEntry[])[0]!
}

/** Waits until the newest message is read. */
function isRead(rig: PeersRig): Promise<void> {
  return waitUntil(async () => (await entryOf(rig)).state === 'read', {
    timeoutMs: 15_000,
    failure: async () => `not read: ${JSON.stringify(await entryOf(rig))}`,
  })
}
