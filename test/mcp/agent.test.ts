import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { sessionFile } from '../../lib/machine/cards.ts'
import { createHome } from '../harness/home.ts'
import { startSession } from '../harness/session.ts'
import { waitFor } from '../harness/wait.ts'

describe('a session of another agent', () => {
  test.each([
    'gemini-cli-mcp-client',
    'codex-mcp-client',
    'github-copilot-developer',
    'qwen-code',
    'opencode',
    'x',
  ])('whose client is called %s gets mail when it asks, and no hook of it takes any', async (client) => {
    await using home = await createHome({ install: true })
    await using web = await startSession(home, { cwd: await home.project('web') })
    await using other = await startSession(home, { cwd: await home.project('other'), client })
    await waitFor(
      async () =>
        (await web.tool('list_peers')).text.includes('other@laptop: online, gets mail only when it calls'),
      'the hub to know what it is',
    )
    const sent = await web.tool('send_message', { to: 'other', message: 'when you like' })
    expect(sent.text).toContain('arrives only when it calls check_messages')
    await other.mailWaits()
    // As if somebody had registered our hooks there, and it set what Claude Code sets.
    for (const event of ['UserPromptSubmit', 'PostToolUse', 'SessionStart', 'Stop'])
      expect(await other.deliver(event)).toBe('')
    expect(await other.waiter()).toMatchObject([{ code: 0 }])
    expect(existsSync(sessionFile(join(home.path, '.claude-peers/sessions'), other.pid, 'bell'))).toBe(false)
    expect((await other.tool('check_messages')).text).toContain('when you like')
  })
})

test('a turn that began before its server was there is known to run', async () => {
  await using home = await createHome({ install: true })
  await using web = await startSession(home, { cwd: await home.project('web') })
  await using late = await startSession(home, { cwd: await home.project('late') })
  await late.stopMcp()
  expect(late.card()).toBeUndefined()
  const transcript_path = join(home.path, 'early.jsonl')
  await late.hook('UserPromptSubmit', { transcript_path })
  await late.startMcp(0)
  await waitFor(
    async () => (await web.tool('list_peers')).text.includes('late@laptop: busy'),
    'the hub to know',
  )
  // Without it, nothing would show that the turn has ended without a Stop.
  expect(late.card()).toMatchObject({ transcript: transcript_path })
  const sent = await web.tool('send_message', { to: 'late', message: 'hello' })
  expect(sent.text).toContain('arrives at its next tool call or turn end')
})
