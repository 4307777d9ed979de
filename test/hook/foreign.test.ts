import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { busySince, readCard } from '../../lib/machine/cards.ts'
import { createRig, type HookOptions, type Rig } from './rig.ts'

/** What a client puts on the standard input and into the environment of its hooks, as seen or documented. */
type Agent = {
  name: string
  input: (sessionId: string, event: string) => Record<string, unknown>
  env: (sessionId: string) => Record<string, string>
}

const cwd = '/home/ada/src/api'
const EVENTS = ['PostToolUse', 'UserPromptSubmit', 'SessionStart', 'Stop']

const AGENTS: Agent[] = [
  {
    name: 'Codex 0.171.0',
    input: (session_id, hook_event_name) => ({
      session_id,
      transcript_path: `/home/ada/.codex/sessions/2026/11/20/rollout-2026-11-20T10-00-00-${session_id}.jsonl`,
      cwd,
      hook_event_name,
      model: 'gpt-5.5-codex',
      permission_mode: 'default',
      turn_id: randomUUID(),
      stop_hook_active: false,
      tool_name: 'Bash',
      tool_use_id: 'call_1',
    }),
    env: () => ({}),
  },
  {
    name: 'Copilot 1.0.102 with names in Pascal case',
    input: (session_id, hook_event_name) => ({
      session_id,
      timestamp: '2026-11-20T10:00:00.000Z',
      cwd,
      hook_event_name,
      tool_name: 'bash',
      tool_input: { command: 'true' },
      tool_result: { result_type: 'success', text_result_for_llm: '' },
    }),
    env: (id) => ({ COPILOT_CLI: '1', COPILOT_AGENT_SESSION_ID: id }),
  },
  {
    name: 'Copilot 1.0.102 with names in camel case',
    input: (sessionId) => ({
      sessionId,
      timestamp: 1_763_632_800_000,
      cwd,
      toolName: 'bash',
      toolArgs: { command: 'true' },
      toolResult: { textResultForLlm: '' },
    }),
    env: (id) => ({ COPILOT_CLI: '1', COPILOT_AGENT_SESSION_ID: id }),
  },
  {
    name: 'Gemini 0.61.0 with its events mapped',
    input: (session_id, hook_event_name) => ({
      session_id,
      transcript_path: `/home/ada/.gemini/tmp/api/chats/session-2026-11-20T10-00-${session_id.slice(0, 8)}.jsonl`,
      cwd,
      hook_event_name,
      timestamp: '2026-11-20T10:00:00.000Z',
      source: 'startup',
      stop_hook_active: false,
    }),
    env: (id) => ({
      GEMINI_SESSION_ID: id,
      GEMINI_PROJECT_DIR: cwd,
      GEMINI_CWD: cwd,
      CLAUDE_PROJECT_DIR: cwd,
    }),
  },
  {
    name: 'Qwen Code 0.24.4',
    input: (session_id, hook_event_name) => ({
      session_id,
      transcript_path: `/home/ada/.qwen/projects/-home-ada-work-api/chats/${session_id}.jsonl`,
      cwd,
      hook_event_name,
      permission_mode: 'default',
      timestamp: '2026-11-20T10:00:00.000Z',
      stop_hook_active: false,
    }),
    env: (id) => ({ QWEN_CODE_SESSION_ID: id, CLAUDE_PROJECT_DIR: cwd }),
  },
]

/** What every program has that a Claude Code session started. */
const ofClaude = (sessionId: string) => ({
  CLAUDECODE: '1',
  CLAUDE_CODE_SESSION_ID: sessionId,
  CLAUDE_CODE_ENTRYPOINT: 'cli',
  CLAUDE_PROJECT_DIR: cwd,
})

const REFUSED = { code: 0, stdout: '', state: 'queued', isBusy: false, isBound: false }

describe.each(AGENTS)('the hook under $name', ({ input, env }) => {
  test.each(EVENTS)('takes no mail at %s', async (event) => {
    await using rig = await createRig()
    const id = await rig.send('not for this client')
    const own = randomUUID()
    expect(await outcome(rig, id, { stdin: JSON.stringify(input(own, event)), env: env(own) })).toEqual(
      REFUSED,
    )
  })

  test('takes no mail inside a Claude Code session, whose id it inherits', async () => {
    await using rig = await createRig()
    const id = await rig.send('for the session around it')
    const own = randomUUID()
    for (const event of EVENTS) {
      const inherited = { ...ofClaude(rig.sessionId), ...env(own) }
      expect(await outcome(rig, id, { stdin: JSON.stringify(input(own, event)), env: inherited })).toEqual(
        REFUSED,
      )
    }
  })

  test('takes no mail with the id of the session around it', async () => {
    await using rig = await createRig()
    const id = await rig.send('for the session around it')
    const { sessionId } = rig
    expect(
      await outcome(rig, id, { stdin: JSON.stringify(input(sessionId, 'Stop')), env: env(sessionId) }),
    ).toEqual(REFUSED)
  })

  test('does not keep a Claude Code session that it started from its mail', async () => {
    await using rig = await createRig()
    const id = await rig.send('for the inner session')
    const run = await rig.hook('UserPromptSubmit', { env: env(randomUUID()) })
    expect(run.context).toContain('for the inner session')
    expect(await rig.stateOf(id)).toBe('delivered')
  })
})

test('a hook takes no mail from input that does not say which session it is from', async () => {
  await using rig = await createRig()
  const id = await rig.send('for nobody in particular')
  for (const input of [{}, { session_id: '' }, { session_id: 7 }, { session_id: null }]) {
    const stdin = JSON.stringify({ hook_event_name: 'Stop', ...input })
    expect(await outcome(rig, id, { stdin })).toEqual(REFUSED)
    expect(await outcome(rig, id, { stdin, env: { CLAUDE_CODE_SESSION_ID: '' } })).toEqual(REFUSED)
  }
})

/** What a run of the hook printed, took, marked and bound. */
async function outcome(rig: Rig, messageId: number, { stdin, env }: HookOptions) {
  const { code, stdout } = await rig.hook('', {
    stdin: stdin!,
    env: { CLAUDE_CODE_SESSION_ID: undefined, ...env },
  })
  const { sessionIds } = readCard(rig.sessions, process.pid)!
  return {
    code,
    stdout,
    state: await rig.stateOf(messageId),
    isBusy: busySince(rig.sessions, process.pid) !== undefined,
    isBound: sessionIds.at(-1) !== rig.sessionId,
  }
}
