import { readFile } from 'node:fs/promises'
import type { HookCommand } from './home.ts'

/** One run of a recording hook: the pid of the client that ran it, and what it was given on stdin. */
export type HookRun = {
  claudePid: number
  input: {
    session_id: string
    hook_event_name: string
    source?: string
    tool_name?: string
    agent_id?: string
    prompt?: string
  }
}

/** A hook that appends its stdin to the file, one line a run; `context` is what it adds for the model on `event`. */
export function recordingHook(file: string, answer?: { event: string; context: string }): HookCommand {
  const hookSpecificOutput = { hookEventName: answer?.event, additionalContext: answer?.context }
  const output = answer ? `; printf '%s' '${JSON.stringify({ hookSpecificOutput })}'` : ''
  // One printf is one write, so that the lines of parallel hooks do not mix.
  const record = `printf '{"claudePid":%s,"input":%s}\\n' "$PPID" "$(cat)" >> '${file}'`
  return { type: 'command', command: record + output }
}

/** The runs recorded so far, oldest first; none when the hook never ran. */
export async function readHookRuns(file: string): Promise<HookRun[]> {
  const lines = await readFile(file, 'utf8').catch(() => '')
  return lines.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as HookRun]))
}
