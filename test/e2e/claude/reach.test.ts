import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, utimesSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { AWAIT_TOOLS, runHeadless } from './client.ts'
import { clientEnvironment } from './home.ts'
import { CLAUDE_VERSIONS } from './install.ts'
import { contextOf } from './model.ts'
import { createLatch, startPeersRig, type PeersRig } from './peers.ts'
import { waitUntil } from './processes.ts'
import { startInteractive } from './terminal.ts'

const QUESTION = {
  questions: [
    {
      question: 'Which database?',
      header: 'Database',
      multiSelect: false,
      options: [
        {
          label: 'Old',
          description: 'the old one',
        },
        {
          label: 'New',
          description: 'the new one',
        },
      ],
    },
  ],
}

describe.each(CLAUDE_VERSIONS)('claude %s', (version) => {
  test('shows its person who wrote and how it begins, and its model none of that line', async ({
    signal,
  }) => {
    await using rig = await startPeersRig(version)
    const latch = createLatch(rig.home, 'tool')
    await using terminal = await startInteractive({ ...rig.client('api'), signal })
    await becomes(rig, /api@laptop: idle, mail wakes it/)
    const send = async (text: string) => {
      await rig.cli('send', 'api', text)
    }
    await send('with a wake, \u001b[31mred\u202e.')
    await terminal.waitForScreen(/UserPromptSubmit says: claude-peers: user@laptop: with a wake, red\./)
    await becomes(rig, /api@laptop: idle, mail wakes it/)
    await terminal.submit(`begin ${latch.directive}`)
    await latch.started()
    await send('with a tool call.')
    await rig.mailWaits()
    await latch.release()
    await terminal.waitForScreen(/PostToolUse:Bash says: claude-peers: user@laptop: with a tool call\./)
    await becomes(rig, /api@laptop: idle, mail wakes it/)
    await isRead(rig, 2)
    expect(rig.model.requests.some((one) => JSON.stringify(one.body).includes('claude-peers: user@'))).toBe(
      false,
    )
  })

  test('shows at a held stop who wrote, and its model none of that line', async ({ signal }) => {
    let isSent = false
    await using rig: PeersRig = await startPeersRig(version, {
      reply: async (request) => {
        if (isSent || !contextOf(request).includes('begin here')) return undefined
        isSent = true
        await becomes(rig, /api@laptop: busy/)
        await rig.cli('send', 'api', 'before you stop.')
        await rig.mailWaits()
        return { text: 'done' }
      },
    })
    await using terminal = await startInteractive({ ...rig.client('api'), signal })
    await becomes(rig, /api@laptop: idle, mail wakes it/)
    await terminal.submit('begin here')
    await terminal.waitForScreen(/Stop says: claude-peers: user@laptop: before you stop\./)
    await isRead(rig, 1)
    expect(rig.model.requests.some((one) => JSON.stringify(one.body).includes('claude-peers: user@'))).toBe(
      false,
    )
  })

  test('at a question of its own is told to wait for its user, until that answers', async ({ signal }) => {
    await using rig = await startPeersRig(version)
    const latch = createLatch(rig.home, 'tool')
    await using terminal = await startInteractive({ ...rig.client('api'), signal })
    await becomes(rig, /api@laptop: idle, mail wakes it/)
    await terminal.submit(
      `begin [[call AskUserQuestion ${JSON.stringify(QUESTION)}]] then ${latch.directive}`,
    )
    await terminal.waitForScreen(/Which database\?[^]*1\. Old/)
    // The client notifies its user 6 s after the question.
    await becomes(rig, /api@laptop: waits for its user/, 20_000)
    expect(await rig.cli('send', 'api', 'meanwhile')).toContain('it waits for its user')
    await terminal.press('Enter')
    await latch.started()
    await becomes(rig, /api@laptop: busy/)
    expect(await rig.cli('send', 'api', 'once more')).toContain('arrives at its next tool call or turn end')
    await latch.release()
    await becomes(rig, /api@laptop: idle, mail wakes it/)
    await isRead(rig, 2)
  })

  test('in a headless run is told to end with its work, before its tool call and within', async () => {
    await using rig = await startPeersRig(version)
    const latch = createLatch(rig.home, 'tool')
    const run = runHeadless({ ...rig.client('api'), prompt: `begin ${latch.directive}` })
    await latch.started()
    await becomes(rig, /api@laptop: headless/)
    expect(await rig.cli('send', 'api', 'meanwhile')).toContain(
      'arrives at its next tool call, or before it ends',
    )
    await latch.release()
    expect(await run).toMatchObject({ exitCode: 0 })
    expect(contextOf(rig.model.requests.at(-1)!)).toContain('meanwhile')
  })

  test('as a stream of prompts is told to get its mail with the next one', async () => {
    await using rig = await startPeersRig(version)
    const client = rig.client('api')
    const words = ['-p', '--verbose', '--dangerously-skip-permissions']
    const formats = ['--input-format', 'stream-json', '--output-format', 'stream-json']
    const stream = spawn(client.binary, [...words, ...formats], {
      cwd: client.cwd,
      env: { ...clientEnvironment(client), ...client.env, ...AWAIT_TOOLS },
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    const exited = once(stream, 'exit')
    const say = (content: string) =>
      stream.stdin.write(`${JSON.stringify({ type: 'user', message: { role: 'user', content } })}\n`)
    say('hello')
    await becomes(rig, /api@laptop: headless, waits for a prompt/)
    expect(await rig.cli('send', 'api', 'for later')).toContain(
      'arrives with the next prompt that a program gives it',
    )
    await rig.mailWaits()
    say('go on')
    await rig.model.waitForRequest((one) => /<peer-message [^>]*>\s*for later/.test(contextOf(one)))
    await isRead(rig, 1)
    stream.stdin.end()
    await exited
  })

  test('with its hooks disabled is told to get mail only when it asks, and gets it then', async () => {
    await using rig = await startPeersRig(version)
    const latch = createLatch(rig.home, 'tool')
    const { cwd } = rig.client('api')
    await mkdir(join(cwd, '.claude'))
    await writeFile(join(cwd, '.claude/settings.local.json'), '{"disableAllHooks":true}')
    const prompt = `begin [[call mcp__claude-peers__list_peers {}]] then ${latch.directive} then [[call mcp__claude-peers__check_messages {}]]`
    const client = rig.client('api')
    const run = runHeadless({ ...client, env: { ...client.env, ...AWAIT_TOOLS }, prompt })
    await latch.started()
    await becomes(rig, /api@laptop: online, gets mail only when it calls check_messages/)
    expect(await rig.cli('send', 'api', 'for who asks')).toContain(
      'arrives only when it calls check_messages',
    )
    await latch.release()
    expect(await run).toMatchObject({ exitCode: 0 })
    expect(contextOf(rig.model.requests.at(-1)!)).toContain('for who asks')
  })

  test('that keeps no transcript is woken after an interrupt, once mail has waited for five minutes', async ({
    signal,
  }) => {
    await using rig = await startPeersRig(version)
    const latch = createLatch(rig.home, 'tool')
    const client = rig.client('api')
    const env = { ...client.env, CLAUDE_CODE_SKIP_PROMPT_HISTORY: '1' }
    await using terminal = await startInteractive({ ...client, env, signal })
    await becomes(rig, /api@laptop: idle, mail wakes it/)
    await terminal.submit(`begin ${latch.directive}`)
    await latch.started()
    await terminal.press('Escape')
    await terminal.waitForScreen(/Interrupted/)
    expect(await rig.cli('send', 'api', 'are you there?')).toContain(
      'arrives at its next tool call or turn end',
    )
    await rig.mailWaits()
    const sessions = join(rig.home.path, '.claude-peers/sessions')
    const before = new Date(Date.now() - 6 * 60_000)
    for (const name of readdirSync(sessions).filter((one) => /\.(busy|mail)$/.test(one)))
      utimesSync(join(sessions, name), before, before)
    await rig.model.waitForRequest((one) => /<peer-message [^>]*>\s*are you there\?/.test(contextOf(one)))
    const kept = readdirSync(join(rig.home.path, '.claude/projects'), { recursive: true }).map(String)
    expect(kept.filter((name) => name.endsWith('.jsonl'))).toEqual([])
    await latch.release()
  })
})

async function becomes(rig: PeersRig, pattern: RegExp, timeoutMs = 10_000) {
  // A look starts no hub: until the session has one, there is nobody to show.
  const look = () => rig.cli('peers').catch((cause: Error) => cause.message)
  await waitUntil(async () => pattern.test(await look()), {
    timeoutMs,
    failure: async () => `not ${pattern}: ${await look()}`,
  })
}

async function isRead(rig: PeersRig, count: number) {
  await waitUntil(async () => (await rig.cli('log')).match(/\[read at/g)?.length === count, {
    timeoutMs: 10_000,
    failure: () => rig.cli('log'),
  })
}
