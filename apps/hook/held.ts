/**
 * How often the end of a turn may be held in a row. Claude Code ends a turn whose Stop was held 8 times without a tool
 * call in between, and then records what the hook gave and does not show it (seen in 2.1.197 and 2.1.330): mail in it
 * would be told as read. What is not handed over for that reason stays queued, and the waiter wakes the session for it,
 * whose new turn begins to count anew.
 */
import { partsOf, readEnd, type Entry } from '#machine/transcript-end'

/** Three below the client's cap: another hook may hold the turn as well, and the client counts its holds, too. */
const MOST_HELD = 5
/** Of so many holds with the largest frames and what the client records of each. */
const END_BYTES = 256 * 1_024

/** Whether one more hold could be the one that the client overrides; `held` were ours, in a row. */
export function isHeldEnough(held: number, transcript: string | undefined): boolean {
  const most = mostHeld()
  if (held < most) return false
  // No hook of ours runs at a tool call without mail: only the transcript knows of it.
  const since = transcript && countSinceTool(readEnd(transcript, END_BYTES).entries)
  return typeof since !== 'number' || since >= most
}

/** The user may have lowered the cap; 0 is none. */
function mostHeld(): number {
  const cap = Number.parseInt(process.env['CLAUDE_CODE_STOP_HOOK_BLOCK_CAP'] ?? '', 10)
  return cap > 0 ? Math.min(cap, MOST_HELD) : MOST_HELD
}

/** How often the turn's end was held since the last tool call; `undefined` when no tool call is found. */
function countSinceTool(entries: Entry[]): number | undefined {
  const own = entries.filter((entry) => !entry.isSidechain)
  const last = own.findLastIndex((entry) => partsOf(entry).some(({ type }) => type === 'tool_use'))
  return last < 0 ? undefined : own.slice(last).filter(isHold).length
}

const isHold = (entry: Entry) =>
  entry.type === 'user' && partsOf(entry).some(({ text }) => text?.startsWith('Stop hook feedback:'))
