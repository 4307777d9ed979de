/**
 * Turns that end without a Stop: the user interrupts, the API fails, or another hook blocks the prompt. No hook tells of
 * it, and a session that still counts as busy is not woken; so while mail waits for one, its transcript is looked at.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { parseJson } from '#machine/files'

/** More than an ended turn leaves behind; a longer last entry is no end of a turn. */
const TAIL_BYTES = 64 * 1_024
/**
 * An interrupt before the first word of an answer leaves no trace (seen in 2.1.197 and 2.1.330); nothing written for
 * this long, with no tool at work, is taken for one. A model that does think that long is woken once for nothing.
 */
const QUIET_MS = 5 * 60_000

/** A line of the client's; of a spoilt one any part may be anything. */
type Entry = {
  type?: unknown
  subtype?: unknown
  isSidechain?: unknown
  isApiErrorMessage?: unknown
  timestamp?: unknown
  content?: unknown
  message?: { content?: unknown } | null
}
type Part = { type?: unknown; text?: unknown }

/** Whether the transcript tells that the turn which began at `since` (ms of the epoch) has ended without a Stop. */
export function hasTurnEnded(transcript: string, since: number, now: number): boolean {
  const { entries, writtenAt } = readTail(transcript)
  const last = entries.findLast(
    (entry) =>
      !entry.isSidechain &&
      (entry.type === 'user' ||
        entry.type === 'assistant' ||
        entry.subtype === 'turn_duration' ||
        isBlockedPrompt(entry)),
  )
  if (!last) return false
  const isOfTurn = typeof last.timestamp === 'string' && Date.parse(last.timestamp) >= since
  if (isOfTurn && isEnd(last)) return true
  return now - Math.max(writtenAt, since) > QUIET_MS && !isToolAtWork(last)
}

/** Seen in 2.1.197. */
const isBlockedPrompt = ({ type, content }: Entry) =>
  type === 'system' &&
  typeof content === 'string' &&
  content.startsWith('UserPromptSubmit operation blocked by hook')

function isEnd(entry: Entry): boolean {
  if (entry.type === 'assistant') return entry.isApiErrorMessage === true
  if (entry.type === 'system') return true
  return textsOf(entry).some((text) => text.startsWith('[Request interrupted by user'))
}

const isToolAtWork = ({ type, message }: Entry) =>
  type === 'assistant' && toParts(message?.content).some((part) => part.type === 'tool_use')

function textsOf({ message }: Entry): string[] {
  const content = message?.content
  if (typeof content === 'string') return [content]
  return toParts(content).flatMap(({ text }) => (typeof text === 'string' ? [text] : []))
}

const toParts = (content: unknown): Part[] => (Array.isArray(content) ? content.filter(isRecord) : [])

const isRecord = (value: unknown): value is object => typeof value === 'object' && value !== null

/** The last entries, oldest first; none when there is no transcript yet. A line that is not whole counts as none. */
function readTail(path: string): { entries: Entry[]; writtenAt: number } {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch {
    return { entries: [], writtenAt: 0 }
  }
  try {
    const { size, mtimeMs } = fstatSync(fd)
    const buffer = Buffer.alloc(Math.min(size, TAIL_BYTES))
    const length = readSync(fd, buffer, 0, buffer.length, size - buffer.length)
    const lines = buffer.toString('utf8', 0, length).split('\n')
    return {
      entries: lines.map((line) => parseJson(line)).filter(isRecord),
      writtenAt: mtimeMs,
    }
  } finally {
    closeSync(fd)
  }
}
