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

/** When a turn began, since when mail waits for its session, and what time it is; all in ms of the epoch. */
export type Turn = { since: number; waitsSince: number; now: number }

/**
 * Whether the transcript tells that a turn has ended without a Stop. A client that keeps none (as with
 * CLAUDE_CODE_SKIP_PROMPT_HISTORY) tells nothing: then it is mail that waits for long, as any tool call would have taken
 * it, and a model that works on without one is woken once for nothing.
 */
export function hasTurnEnded(transcript: string | undefined, { since, waitsSince, now }: Turn): boolean {
  const { entries, writtenAt } = readEnd(transcript, TAIL_BYTES)
  if (writtenAt === 0) return now - Math.max(since, waitsSince) > QUIET_MS
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
