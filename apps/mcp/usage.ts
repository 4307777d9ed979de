/**
 * Whether anybody made use of this server. A client's health check (`claude mcp list`) starts it as a session would, with
 * a session id of its own, asks for its tools and ends it within a second (seen in 2.1.197 and 2.1.332). No prompt, no
 * tool call and no hook comes from there: such a server takes its registration back when it leaves.
 */
import { existsSync } from 'node:fs'
import { busySince, readCard, sessionFile } from '#machine/cards'

/** A check that waits for slow servers, on a busy machine; a session that nobody used for so long was there to be seen. */
const SHORT_MS = 10_000

/** Follows the use of one server; the clock begins now. */
export function followUse({ sessions, pid }: { sessions: string; pid: number }) {
  const start = performance.now()
  let isUsed = false
  let isListed = false

  /** What hooks and the waiter leave. A start has a waiter, and any hook tells of its transcript. */
  function hadHook(): boolean {
    const hasMarks =
      busySince(sessions, pid) !== undefined || existsSync(sessionFile(sessions, pid, 'waiter'))
    return hasMarks || readCard(sessions, pid)?.transcript !== undefined
  }

  return {
    /** A tool was called, or the Claude process was there before. */
    note: () => void (isUsed = true),
    /** The tools were asked for, as any client does at once. */
    noteListed: () => void (isListed = true),
    isUnused: () => isListed && !isUsed && performance.now() - start < SHORT_MS && !hadHook(),
  }
}
