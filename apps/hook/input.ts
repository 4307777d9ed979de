import type { Readable } from 'node:stream'

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

/** Reads the hook's input; `undefined` when nothing is to be delivered, as inside a subagent. */
export async function readInput(stream: Readable): Promise<HookInput | undefined> {
  const input = JSON.parse(await readAll(stream)) as Record<string, unknown>
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

function readAll(stream: Readable): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    stream.on('end', () => resolve(text)).on('error', reject)
  })
}
