import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Script } from 'node:vm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { bundlePath } from '../../lib/machine/package.ts'
import { createRig, type Rig } from './rig.ts'
import { ownIdentity } from '../../lib/machine/processes.ts'

const NOTHING = { code: 0, stdout: '', stderr: '' }

let rig: Rig
beforeAll(async () => {
  rig = await createRig()
})
afterAll(() => rig[Symbol.asyncDispose]())
// What a test before said may be said again.
beforeEach(() => void (rig.time.now += 60_000))

describe('an event with mail waiting', () => {
  test.each(['PostToolUse', 'UserPromptSubmit', 'SessionStart'])(
    '%s adds it to the context',
    async (event) => {
      const id = await rig.send('hello')
      const { code, stdout, stderr } = await rig.hook(event)
      expect([code, stderr]).toEqual([0, ''])
      expect(JSON.parse(stdout)).toEqual({
        systemMessage: 'claude-peers: web@laptop: hello',
        hookSpecificOutput: { hookEventName: event, additionalContext: expect.stringContaining('\nhello\n') },
      })
      expect(await rig.stateOf(id)).toBe('delivered')
      expect(await rig.hook(event)).toMatchObject(NOTHING)
    },
  )

  test('Stop holds the turn, and lets it end when all is read', async () => {
    await rig.send('before you go')
    const { stdout } = await rig.hook('Stop', { input: { stop_hook_active: true } })
    expect(JSON.parse(stdout)).toEqual({
      systemMessage: 'claude-peers: web@laptop: before you go',
      decision: 'block',
      reason: expect.stringContaining('Mail'),
      hookSpecificOutput: {
        hookEventName: 'Stop',
        additionalContext: expect.stringContaining('before you go'),
      },
    })
    expect(await rig.hook('Stop')).toMatchObject(NOTHING)
  })

  test('mail for information alone does not hold a turn, and comes with the next tool call', async () => {
    const id = await rig.send('by the way', { urgency: 'fyi' })
    expect(await rig.hook('Stop')).toMatchObject(NOTHING)
    expect(await rig.stateOf(id)).toBe('queued')
    expect((await rig.hook('PostToolUse')).context).toContain('by the way')
  })

  test('mail for information comes along when other mail holds the turn', async () => {
    await rig.send('by the way', { urgency: 'fyi' })
    await rig.send('important')
    const { context } = await rig.hook('Stop')
    expect(context).toContain('by the way')
    expect(context).toContain('important')
  })

  test('a subagent takes nothing', async () => {
    await rig.send('for the parent')
    const input = { agent_id: 'a1', agent_type: 'Explore' }
    for (const event of ['PostToolUse', 'UserPromptSubmit', 'Stop']) {
      expect(await rig.hook(event, { input })).toMatchObject(NOTHING)
    }
    expect((await rig.hook('PostToolUse')).context).toContain('for the parent')
  })

  test('an event that carries no context takes nothing', async () => {
    await rig.send('kept')
    for (const event of ['PreToolUse', 'SubagentStop', 'SessionEnd', 'Notification', '__proto__']) {
      expect(await rig.hook(event)).toMatchObject(NOTHING)
    }
    expect((await rig.hook('PostToolUse')).context).toContain('kept')
  })

  test('a message that is too long for one event comes as its head, and the others after it', async () => {
    const long = await rig.send('x'.repeat(30_000))
    await rig.send('the next one')
    const first = await rig.hook('PostToolUse')
    expect(first.context.length).toBeLessThanOrEqual(9_500)
    expect(first.context).toContain(
      `mcp__claude-peers__check_messages with {"message_id": ${long}, "offset": `,
    )
    expect(first.context).toContain('1 more waits and will follow')
    expect(first.context).not.toContain('the next one')
    expect((await rig.hook('PostToolUse')).context).toContain('the next one')
  })

  test('hooks that run at once give each of ten messages exactly once', async () => {
    const ids = await Promise.all(Array.from({ length: 10 }, (_, index) => rig.send(`message ${index}.`)))
    const runs = await Promise.all(Array.from({ length: 6 }, () => rig.hook('PostToolUse')))
    // What one took stands before what the same sender sent later: that waits for the acknowledgement.
    runs.push(await rig.hook('PostToolUse'))
    const given = runs.flatMap((run) => run.context.match(/message \d\./g) ?? [])
    expect(given.toSorted()).toEqual(Array.from({ length: 10 }, (_, index) => `message ${index}.`))
    for (const id of ids) expect(await rig.stateOf(id)).toBe('delivered')
  })

  test('the answer names the tools as this installation does', async () => {
    rig.changeCard({ toolPrefix: 'mcp__plugin_x_y__' })
    await rig.send('hello')
    expect((await rig.hook('PostToolUse')).context).toContain('To answer, call mcp__plugin_x_y__send_message')
    rig.changeCard({ toolPrefix: 'mcp__claude-peers__' })
  })
})

describe('the flag', () => {
  test('is left to the MCP server while that lives', async () => {
    rig.flag.raise()
    await rig.hook('PostToolUse')
    expect(rig.flag.isUp()).toBe(true)
  })

  test('is lowered where the server has died and nothing waits any more', async () => {
    rig.changeCard({ mcp: { ...ownIdentity(), start: 'before' } })
    await rig.send('x'.repeat(9_000))
    await rig.send('the rest')
    await rig.hook('PostToolUse')
    expect(rig.flag.isUp()).toBe(true)
    await rig.hook('PostToolUse')
    expect(rig.flag.isUp()).toBe(false)
  })
})

describe('the process', () => {
  test('loads neither streams, sockets and undici nor an HTTP client, and starts nothing', async () => {
    const told = `process.getBuiltinModule('node:fs').writeSync(2,process.moduleLoadList.join())`
    const probe = `data:text/javascript,process.on('exit',()=>${told})`
    await rig.send('hello')
    const { stderr, context } = await rig.hook('PostToolUse', { nodeArgs: ['--import', probe] })
    const bare = await rig.hook('PostToolUse', { nodeArgs: ['--import', probe], pid: 0 })
    const loaded = stderr.split(',').filter((name) => !bare.stderr.split(',').includes(name))
    expect(context).toContain('hello')
    expect(stderr).toContain('Internal Binding tcp_wrap')
    expect(loaded.filter((name) => name.startsWith('NativeModule'))).toEqual([])
    expect(stderr).not.toMatch(/undici\/undici|NativeModule (_http_client|child_process|net|stream|worker)\b/)
  })

  test('is one program without the contract, the database or a client, which V8 finds compiled', () => {
    const dist = dirname(bundlePath('hook.cjs'))
    // Those of earlier builds stay for a day.
    const named = [...new Set(readFileSync(bundlePath('hook.cjs'), 'utf8').match(/hook-\w+\.cjs/g))]
    expect(named).toHaveLength(1)
    const [program] = named as [string]
    const copies = readFileSync(join(dist, `${program}.cache`))
    const script = new Script(readFileSync(join(dist, program), 'utf8'), {
      cachedData: copies.subarray(0, copies.length / 2),
    })
    expect(script.cachedDataRejected).toBe(false)
  })
})
