/** The events that can carry mail to the model. */
const EVENTS = ['PostToolUse', 'UserPromptSubmit', 'SessionStart', 'Stop'] as const
export type HookEvent = (typeof EVENTS)[number]

/** What the client tells its hook, as far as delivery needs it. */
export type HookInput = {
  event: HookEvent
  sessionId: string
  /** Why a session starts: `startup`, `resume`, `clear`, `compact`, `fork`. */
  source: unknown
  /** A Stop of a turn that went on because a hook has held an earlier Stop. */
  wasHeld: boolean
  transcript: string | undefined
}

/**
 * What the text of the hook's input says; `undefined` when nothing is to be delivered, as inside a subagent or under
 * another agent. Codex, Copilot, Gemini and Qwen run the same commands with a similar input, but drop what our hook
 * prints: mail that was given to them would be lost. Claude Code alone names the session of the input in the environment
 * as well (seen: 2.1.197 and 2.1.332, at every event, also after `/clear`). What another agent inherits from a Claude
 * Code session around it names that session, and what Claude Code inherits from another agent is not looked at.
 */
export function parseInput(text: string, env: NodeJS.ProcessEnv = process.env): HookInput | undefined {
  const input = JSON.parse(text) as Record<string, unknown>
  const event = EVENTS.find((name) => name === input['hook_event_name'])
  const sessionId = toText(input['session_id'])
  if (!event || sessionId === undefined || sessionId !== env['CLAUDE_CODE_SESSION_ID']) return undefined
  // A subagent runs its parent's hooks with the parent's session id: mail it took would never reach the parent.
  if (input['agent_id']) return undefined
  return {
    event,
    sessionId,
    source: input['source'],
    wasHeld: input['stop_hook_active'] === true,
    transcript: toText(input['transcript_path']),
  }
}

const toText = (value: unknown) => (typeof value === 'string' && value ? value : undefined)
