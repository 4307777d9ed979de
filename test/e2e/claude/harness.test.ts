import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { AWAIT_TOOLS, runHeadless, type ClientOptions } from './client.ts'
import { createHome, type Home, type Hooks, type McpServer } from './home.ts'
import { readHookRuns, recordingHook } from './hooks.ts'
import { CLAUDE_VERSIONS, installClaude } from './install.ts'
import { contextOf, startModel, type Model, type Responder } from './model.ts'
import { isAlive, processesOf, waitUntil } from './processes.ts'
import { startInteractive } from './terminal.ts'

describe.each(CLAUDE_VERSIONS)('claude %s', (version) => {
  test('what a PostToolUse hook adds is in the next request', async () => {
    await using rig = await startRig(version)
    const { exitCode, stdout } = await runHeadless({
      ...rig.client,
      prompt: 'please [[call Bash {"command":"echo tool-$((40 + 2))"}]]',
    })
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'done\n' })
    const [first = '', second = '', ...more] = rig.model.requests.map(contextOf)
    expect(more).toEqual([])
    expect(first).not.toContain('words of the hook')
    expect(second).toContain('tool-42')
    expect(second).toContain('PostToolUse:Bash hook additional context: words of the hook')
  })

  test('directives side by side are parallel calls, `then` starts the next step', async () => {
    await using rig = await startRig(version)
    const prompt =
      '[[call Bash {"command":"echo one"}]] [[call Bash {"command":"echo two"}]] then [[call Bash {"command":"echo {3}"}]]'
    await runHeadless({ ...rig.client, prompt })
    const calls = rig.model.requests.at(-1)?.body.messages.flatMap(({ role, content }) => {
      if (role !== 'assistant' || typeof content === 'string') return []
      return [content.flatMap(({ type, input }) => (type === 'tool_use' ? [input] : []))]
    })
    expect(calls).toEqual([[{ command: 'echo one' }, { command: 'echo two' }], [{ command: 'echo {3}' }]])
    expect(rig.model.requests).toHaveLength(3)
  })

  test('a call reaches the tool of a stdio MCP server, and its result the next request', async () => {
    await using rig = await startRig(version, { mcpServers: { fixture: ECHO_SERVER } })
    const prompt = '[[call mcp__fixture__echo {"text":"ha","times":2}]]'
    await runHeadless({ ...rig.client, env: AWAIT_TOOLS, prompt })
    expect(contextOf(rig.model.requests[1]!)).toContain('echo: HAHA')
  })

  test('a subagent follows the script in its own prompt, and its hooks name it', async () => {
    await using rig = await startRig(version)
    const inner = 'subagent: [[call Bash {"command":"echo inner"}]]'
    const input = { description: 'try', subagent_type: 'general-purpose', prompt: inner }
    await runHeadless({ ...rig.client, prompt: `[[call Agent ${JSON.stringify(input)}]]` })
    const runs = (await readHookRuns(rig.log)).filter(({ input }) => input.tool_name === 'Bash')
    const asked = rig.model.requests.find((request) => request.agentId !== undefined)
    expect(runs).toHaveLength(1)
    expect(runs[0]?.input).toMatchObject({ agent_id: asked?.agentId, session_id: asked?.sessionId })
    expect(asked?.agentId).toEqual(expect.any(String))
  })

  test('/clear gives the same process a new session', async ({ signal }) => {
    await using rig = await startRig(version)
    await using terminal = await startInteractive({ ...rig.client, signal })
    await terminal.submit('the first prompt')
    const first = await rig.model.waitForRequest((request) => contextOf(request).includes('the first prompt'))
    await terminal.waitForScreen(/● done/)
    await terminal.submit('/clear')
    await terminal.submit('the second prompt')
    const second = await rig.model.waitForRequest((request) =>
      contextOf(request).includes('the second prompt'),
    )
    expect(contextOf(second)).not.toContain('the first prompt')
    expect(second.sessionId).not.toBe(first.sessionId)
    const runs = await readHookRuns(rig.log)
    const seen = runs.map(({ claudePid, input }) => ({
      claudePid,
      event: `${input.hook_event_name} ${input.source ?? input.prompt}`,
      session: input.session_id,
    }))
    const claudePid = terminal.claudePid()
    expect(seen).toEqual([
      { claudePid, event: 'SessionStart startup', session: first.sessionId },
      { claudePid, event: 'UserPromptSubmit the first prompt', session: first.sessionId },
      { claudePid, event: 'SessionStart clear', session: second.sessionId },
      { claudePid, event: 'UserPromptSubmit the second prompt', session: second.sessionId },
    ])
  })

  test('the dialogs before the first prompt are answered', async ({ signal }) => {
    await using rig = await startRig(version)
    await writeFile(rig.home.configPath, JSON.stringify({ hasCompletedOnboarding: true, theme: 'dark' }))
    await writeFile(rig.home.settingsPath, '{}')
    const env = { CLAUDE_CODE_FORCE_FULLSCREEN_UPSELL: '1' }
    await using terminal = await startInteractive({ ...rig.client, env, signal })
    await terminal.submit('hello')
    const request = await rig.model.waitForRequest((request) => contextOf(request).includes('hello'))
    expect(request.sessionId).toEqual(expect.any(String))
  })

  test('nothing is left of a client that was busy when its home was disposed', async ({ signal }) => {
    await using rig = await startRig(version, { mcpServers: { fixture: ECHO_SERVER }, reply: () => never })
    await using terminal = await startInteractive({ ...rig.client, signal })
    await terminal.submit('hello')
    await rig.model.waitForRequest((request) => contextOf(request).includes('hello'))
    expect(await processesOf(rig.home.path)).toContain(terminal.claudePid())
    await terminal[Symbol.asyncDispose]()
    expect(isAlive(terminal.claudePid())).toBe(false)
    await rig.home[Symbol.asyncDispose]()
    expect(await processesOf(rig.home.path)).toEqual([])
  })

  test('an aborted headless client is killed, and what it had started goes with its home', async () => {
    await using rig = await startRig(version)
    const started = join(rig.home.path, 'started')
    const abort = new AbortController()
    const prompt = `[[call Bash {"command":"touch ${started}; exec sleep 1000"}]]`
    const run = runHeadless({ ...rig.client, prompt, signal: abort.signal })
    const failure = () => 'the tool never ran'
    await waitUntil(() => existsSync(started), { timeoutMs: 30_000, failure }).finally(() => abort.abort())
    await expect(run).rejects.toThrow('claude -p was killed')
    await rig.home[Symbol.asyncDispose]()
    expect(await processesOf(rig.home.path)).toEqual([])
  })
})

test.runIf(process.platform === 'linux')('a home and its processes go with a killed owner', async () => {
  const owner = spawn(process.execPath, [join(import.meta.dirname, 'fixture', 'killed-owner.ts')])
  const home = (await text(owner.stdout)).trim()
  expect(home).toMatch(/claude-home-/)
  const isGone = async () => !existsSync(home) && (await processesOf(home)).length === 0
  await waitUntil(isGone, { timeoutMs: 5_000, failure: () => `${home} is still there` })
})

const never = new Promise<never>(() => {})
const ECHO_SERVER: McpServer = {
  command: process.execPath,
  args: [join(import.meta.dirname, 'fixture', 'echo-server.ts')],
}

type Rig = {
  model: Model
  home: Home
  client: ClientOptions
  log: string
  [Symbol.asyncDispose]: () => Promise<void>
}

async function startRig(
  version: string,
  options: { mcpServers?: Record<string, McpServer>; reply?: Responder } = {},
): Promise<Rig> {
  const binary = await installClaude(version)
  await using stack = new AsyncDisposableStack()
  const model = stack.use(await startModel({ ...(options.reply && { reply: options.reply }) }))
  const home = stack.use(
    await createHome({ projects: ['api'], git: true, mcpServers: options.mcpServers ?? {} }),
  )
  const log = join(home.path, 'hooks.log')
  const record = [{ hooks: [recordingHook(log)] }]
  const add = [{ hooks: [recordingHook(log, { event: 'PostToolUse', context: 'words of the hook' })] }]
  const hooks: Hooks = { SessionStart: record, UserPromptSubmit: record, PostToolUse: add }
  await writeFile(home.settingsPath, JSON.stringify({ skipDangerousModePermissionPrompt: true, hooks }))
  const started = stack.move()
  const client = { binary, home, modelUrl: model.url, cwd: home.projects.api }
  return { model, home, client, log, [Symbol.asyncDispose]: () => started.disposeAsync() }
}
