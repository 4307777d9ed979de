import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { parseJson } from './files.ts'

/** One line of a session's transcript, as far as the end of a turn and what came before it can be told from it. */
export type Entry = {
  type?: string
  subtype?: string
  isSidechain?: boolean
  isApiErrorMessage?: boolean
  timestamp?: string
  content?: unknown
  message?: { id?: string; content?: string | Part[] }
}
type Part = { type?: string; text?: string; id?: string; tool_use_id?: string }

/**
 * The entries in the last `bytes` of a transcript, oldest first, and when it was written, in ms of the epoch; none when
 * there is no transcript yet, or what is there cannot be read. A line that is not whole counts as none.
 */
export function readEnd(path: string, bytes: number): { entries: Entry[]; writtenAt: number } {
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
      entries: lines.flatMap((line) => (parseJson(line) as Entry | undefined) ?? []),
      writtenAt: mtimeMs,
    }
  } catch {
    return { entries: [], writtenAt: 0 }
  } finally {
    closeSync(fd)
  }
}

/** The parts of what an entry says; a plain text is one. */
export function partsOf({ message }: Entry): Part[] {
  const content: unknown = message?.content
  if (typeof content === 'string') return [{ type: 'text', text: content }]
  return Array.isArray(content) ? content.filter(isPart) : []
}

function isPart(value: unknown): value is Part {
  if (typeof value !== 'object' || value === null) return false
  return ['string', 'undefined'].includes(typeof (value as { text?: unknown }).text)
}
