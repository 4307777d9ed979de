import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { parseJson } from './files.ts'

/** One line of a session's transcript, as far as the end of a turn and what came before it can be told from it. */
export type Entry = {
  type?: string
  subtype?: string
  isSidechain?: boolean
  isApiErrorMessage?: boolean
  isMeta?: boolean
  isCompactSummary?: boolean
  uuid?: unknown
  /** The entry that it goes on from; null at the beginning of a conversation. */
  parentUuid?: string | null
  timestamp?: unknown
  content?: unknown
  attachment?: { type?: unknown; content?: unknown } | null
  message?: { id?: string; model?: string; content?: unknown } | null
}
type Part = {
  type?: string
  text?: string
  id?: string
  name?: unknown
  tool_use_id?: string
  content?: unknown
}

/**
 * The entries in the last `bytes` of a transcript, oldest first, and when it was written, in ms of the epoch; none when
 * there is no transcript yet, or what is there cannot be read. A line that is not whole counts as none.
 */
export function readEnd(path: string | undefined, bytes: number): { entries: Entry[]; writtenAt: number } {
  if (path === undefined) return { entries: [], writtenAt: 0 }
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch {
    return { entries: [], writtenAt: 0 }
  }
  try {
    const { size, mtimeMs } = fstatSync(fd)
    const buffer = Buffer.alloc(Math.min(size, bytes))
    const length = readSync(fd, buffer, 0, buffer.length, size - buffer.length)
    const lines = buffer.toString('utf8', 0, length).split('\n')
    return {
      entries: lines.flatMap((line) => toEntry(line) ?? []),
      writtenAt: mtimeMs,
    }
  } catch {
    return { entries: [], writtenAt: 0 }
  } finally {
    closeSync(fd)
  }
}

/** The entry in a line; `undefined` for a line that holds none, as half of one. */
export function toEntry(line: string): Entry | undefined {
  const entry = parseJson(line)
  return isRecord(entry) && !Array.isArray(entry) ? entry : undefined
}

/** The parts of what an entry says; a plain text is one. Anything else, as in a damaged line, is passed over. */
export function partsOf({ message }: Pick<Entry, 'message'>): Part[] {
  const content = message?.content
  if (typeof content === 'string') return [{ type: 'text', text: content }]
  return Array.isArray(content) ? content.filter(isPart) : []
}

const isPart = (value: unknown): value is Part =>
  isRecord(value) && ['string', 'undefined'].includes(typeof (value as Part).text)

const isRecord = (value: unknown): value is object => typeof value === 'object' && value !== null
