/** The ways in which a client takes mail and never asks its model with it. */
import { describe, expect, test } from 'vitest'
import { runHeadless } from './client.ts'
import { CLAUDE_VERSIONS } from './install.ts'
import { contextOf, type Responder } from './model.ts'
import { createLatch, startPeersRig } from './peers.ts'
import { addHook, entryOf, hasMail, isIn, isTakenBack, MAIL } from './receipt.ts'
import { startInteractive } from './terminal.ts'

const breakAtMail: Responder = (request) =>
  hasMail(request) ? { status: 400, error: { type: 'invalid_request_error', message: 'no' } } : undefined
const limitAtMail: Responder = (request) =>
  hasMail(request) ? { status: 429, error: { type: 'rate_limit_error', message: 'limit' } } : undefined

const ways: [string, { args?: string[]; hook?: string; reply?: Responder }][] = [
  ['its turns are used up', { args: ['--max-turns', '1'] }],
  ['another hook stops it', { hook: `sleep 0.5; echo '{"continue":false,"stopReason":"halt"}'` }],
  ['the API refuses', { reply: breakAtMail }],
  ['a limit is reached', { reply: limitAtMail }],
]

describe.each(CLAUDE_VERSIONS)('claude %s', (version) => {
  test.each(ways)('mail of a headless run waits again when %s, and comes marked', async (_, way) => {
    let ends = true
    await using rig = await startPeersRig(version, {
      reply: (request) => (ends ? way.reply?.(request) : undefined),
    })
    if (way.hook) await addHook(rig, 'PostToolUse', way.hook)
    const latch = createLatch(rig.home, 'tool')
    const prompt = `begin ${latch.directive}`
    const run = runHeadless({ ...rig.client('api'), prompt, ...(way.args && { args: way.args }) })
    await latch.started()
    await rig.cli('send', 'api', MAIL)
    await rig.mailWaits()
    await latch.release()
    await run
    await isIn(rig, 'queued')
    expect(await entryOf(rig)).toMatchObject({ attempts: 1, requeuedAt: expect.any(Number) })
    ends = false
    await runHeadless({ ...rig.client('api'), prompt: 'the next session' })
    const request = rig.model.requests.findLast(hasMail)!
    expect(contextOf(request)).toMatch(/<peer-message [^>]*redelivered=/)
    await isIn(rig, 'read')
  })

  test.each(['SIGKILL', 'SIGTERM'] as const)(
    'mail waits again when %s ends the client between acknowledgement and answer',
    async (name) => {
      const never = new Promise<undefined>(() => undefined)
      await using rig = await startPeersRig(version, {
        reply: (request) => (hasMail(request) ? never : undefined),
      })
      await using terminal = await startInteractive(rig.client('api'))
      const latch = createLatch(rig.home, 'tool')
      await terminal.submit(`begin ${latch.directive}`)
      await latch.started()
      await rig.cli('send', 'api', MAIL)
      await rig.mailWaits()
      await latch.release()
      await rig.model.waitForRequest(hasMail)
      await isIn(rig, 'delivered')
      await terminal.kill(name)
      await isIn(rig, 'queued')
      expect(await entryOf(rig)).toMatchObject({ attempts: 1, readAt: null })
    },
  )

  test('mail of a prompt that another hook blocks waits again at once, unmarked', async () => {
    await using rig = await startPeersRig(version)
    await addHook(rig, 'UserPromptSubmit', 'grep -q blocked || exit 0; sleep 1; echo policy >&2; exit 2')
    await using terminal = await startInteractive(rig.client('api'))
    await terminal.submit('hello')
    await terminal.waitForScreen(/● done/)
    await rig.cli('send', '--fyi', 'api', MAIL)
    await rig.mailWaits()
    await terminal.submit('this one is blocked')
    await terminal.waitForScreen(/operation blocked by hook/)
    await isTakenBack(rig)
    await rig.mailWaits()
    // The client may have left it in the box.
    await terminal.press('C-e', 'C-u')
    await terminal.submit('the next prompt')
    const request = await rig.model.waitForRequest(hasMail)
    expect(contextOf(request)).not.toContain('redelivered=')
    await isIn(rig, 'read')
  })
})
