import { readMailFlag, setBusy } from '#machine/cards'
import type { HookInput } from './input.ts'

/**
 * Keeps the mark that a turn of the session runs, whatever becomes of its delivery: nobody wakes a session that has it,
 * and one that loses it too late sleeps over its mail.
 */
export function followTurn(sessions: string, pid: number, { event, source }: HookInput) {
  const isStop = event === 'Stop'
  if (event === 'UserPromptSubmit') setBusy(sessions, pid, true)
  // A compaction may come in the middle of a turn; with any other start, none runs.
  if (event === 'SessionStart' && source !== 'compact') setBusy(sessions, pid, false)
  let isHeld = false
  // Also at the deadline, and when the hub is down.
  if (isStop) process.once('exit', () => isHeld || setBusy(sessions, pid, false))
  return {
    /** Ends the turn, unless this is no Stop. True when mail came meanwhile: it rang while the session was busy. */
    endsWithNews(): boolean {
      if (!isStop) return false
      setBusy(sessions, pid, false)
      return readMailFlag(sessions, pid) === 'wake'
    },
    /** There is mail to read: also a Stop is none then. */
    goesOn() {
      isHeld = true
      if (event !== 'SessionStart') setBusy(sessions, pid, true)
    },
  }
}
