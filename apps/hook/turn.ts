import { closeSync, constants, fstatSync, openSync, utimesSync, writeSync } from 'node:fs'
import { readHeld, readMailFlag, sessionFile, setBusy } from '#machine/cards'
import { isHeldEnough } from './held.ts'
import type { HookInput } from './input.ts'

/**
 * Keeps the mark that a turn of the session runs, whatever becomes of its delivery: nobody wakes a session that has it,
 * and one that loses it too late sleeps over its mail.
 */
export function followTurn(sessions: string, pid: number, { event, source, wasHeld, transcript }: HookInput) {
  const isStop = event === 'Stop'
  const held = isStop && wasHeld ? readHeld(sessions, pid) : 0
  if (event === 'UserPromptSubmit') setBusy(sessions, pid, true)
  // A compaction may come in the middle of a turn; with any other start, none runs.
  if (event === 'SessionStart' && source !== 'compact') setBusy(sessions, pid, false)
  let isSettled = false
  // Also at the deadline, and when the hub is down.
  if (isStop) process.once('exit', () => isSettled || setBusy(sessions, pid, false))
  return {
    /** Ends a turn that was held so often that its client may hold it no more; its mail is the waiter's to wake for. */
    endsUnheard(): boolean {
      if (!isHeldEnough(held, transcript)) return false
      setBusy(sessions, pid, false)
      // What the waiter marks when it wakes is the next turn's.
      isSettled = true
      if (readMailFlag(sessions, pid) === 'wake') ring(sessions, pid)
      return true
    },
    /** Ends the turn, unless this is no Stop. True when mail came meanwhile: it rang while the session was busy. */
    endsWithNews(): boolean {
      if (!isStop) return false
      setBusy(sessions, pid, false)
      return readMailFlag(sessions, pid) === 'wake'
    },
    /** There is mail to read: also a Stop is none then. */
    goesOn() {
      isSettled = true
      if (event !== 'SessionStart') setBusy(sessions, pid, true, isStop ? held + 1 : 0)
    },
  }
}

/** Rings anew for mail whose ring was used up while the session was busy; without an MCP server, nobody hears it. */
function ring(sessions: string, pid: number) {
  try {
    // The ring of a waiter without a FIFO is the time of the flag.
    utimesSync(sessionFile(sessions, pid, 'mail'), new Date(), new Date())
    const { O_WRONLY, O_NONBLOCK, O_NOFOLLOW } = constants
    const fd = openSync(sessionFile(sessions, pid, 'bell'), O_WRONLY | O_NONBLOCK | O_NOFOLLOW)
    if (fstatSync(fd).isFIFO()) writeSync(fd, '\n')
    closeSync(fd)
  } catch {
    // The MCP server has ended, there is no FIFO here, or it is full of rings.
  }
}
