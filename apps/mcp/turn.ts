/**
 * Turns that end without a Stop: the user interrupts, the API fails, or another hook blocks the prompt. No hook tells of
 * it, and a session that still counts as busy is not woken; so while mail waits for one, its transcript is looked at.
 */
import { partsOf, readEnd, type Entry } from '#machine/transcript-end'

/** More than an ended turn leaves behind; a longer last entry is no end of a turn. */
const TAIL_BYTES = 64 * 1_024
/**
 * An interrupt before the first word of an answer leaves no trace (seen in 2.1.197 and 2.1.330); nothing written for
 * this long, with no tool at work, is taken for one. A model that does think that long is woken once for nothing.
 */
const QUIET_MS = 5 * 60_000

/** Whether the transcript tells that the turn which began at `since` (ms of the epoch) has ended without a Stop. */
export function hasTurnEnded(transcript: string, since: number, now: number): boolean {
  const { entries, writtenAt } = readEnd(transcript, TAIL_BYTES)
  const told = entries.filter(
    (entry) =>
      !entry.isSidechain &&
      (entry.type === 'user' ||
        entry.type === 'assistant' ||
        entry.subtype === 'turn_duration' ||
        isBlockedPrompt(entry)),
  )
  const last = told.at(-1)
  if (!last) return false
  const isOfTurn = typeof last.timestamp === 'string' && Date.parse(last.timestamp) >= since
  if (isOfTurn && isEnd(last)) return true
  return now - Math.max(writtenAt, since) > QUIET_MS && !isToolAtWork(told)
}

/** Seen in 2.1.197. */
const isBlockedPrompt = ({ type, content }: Entry) =>
  type === 'system' &&
  typeof content === 'string' &&
  content.startsWith('UserPromptSubmit operation blocked by hook')

function isEnd(entry: Entry): boolean {
  if (entry.type === 'assistant') return entry.isApiErrorMessage === true
  if (entry.type === 'system') return true
  return partsOf(entry).some(({ text }) => text?.startsWith('[Request interrupted by user'))
}

/** Whether a tool of the last answer works; each of several stands in an entry of its own, and so does each result. */
function isToolAtWork(entries: Entry[]): boolean {
  const answer = entries.findLast(({ type }) => type === 'assistant')
  if (!answer) return false
  const first = entries.findIndex(
    (one) => one === answer || (one.type === 'assistant' && one.message?.id === answer.message?.id),
  )
  const rest = entries.slice(first)
  const results = rest.filter(({ type }) => type === 'user').map(toResults)
  // Whatever a person says behind them, no tool of before works any more.
  if (results.some((ids) => ids.length === 0)) return false
  const done = new Set(results.flat())
  return rest.flatMap(partsOf).some(({ type, id }) => type === 'tool_use' && !done.has(id))
}

const toResults = (entry: Entry) =>
  partsOf(entry).flatMap(({ type, tool_use_id }) => (type === 'tool_result' ? [tool_use_id] : []))
