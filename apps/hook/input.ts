/** The events that can carry mail to the model. */
const EVENTS = ['PostToolUse', 'UserPromptSubmit', 'SessionStart', 'Stop'] as const
export type HookEvent = (typeof EVENTS)[number]

/** What the client tells its hook, as far as delivery needs it. */
export type HookInput = {
  event: HookEvent
  sessionId: string | undefined
  /** Why a session starts: `startup`, `resume`, `clear`, `compact`, `fork`. */
  source: unknown
  /** A Stop of a turn that went on because a hook has held an earlier Stop. */
  wasHeld: boolean
  transcript: string | undefined
}

/** What the text of the hook's input says; `undefined` when nothing is to be delivered, as inside a subagent. */
export function parseInput(text: string): HookInput | undefined {
  const input = JSON.parse(text) as Record<string, unknown>
  const event = EVENTS.find((name) => name === input['hook_event_name'])
  // A subagent runs its parent's hooks with the parent's session id: mail it took would never reach the parent.
  if (!event || input['agent_id']) return undefined
  return {
    event,
    sessionId: toText(input['session_id']),
    source: input['source'],
    wasHeld: input['stop_hook_active'] === true,
    transcript: toText(input['transcript_path']),
  }
}

const toText = (value: unknown) => (typeof value === 'string' && value ? value : undefined)
