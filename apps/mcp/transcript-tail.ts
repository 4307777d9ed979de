import { open, type FileHandle } from 'node:fs/promises'

/** Reads what is appended to one file of lines. */
export type Tail = {
  path: string
  /**
   * Gives every line that became whole since the last call, and returns how many bytes it read. Calls `onSkip` where it
   * passes lines over. A file that
   * is not there has nothing; one that was replaced or cut short is read from its beginning. Rejects when the file cannot
   * be read.
   */
  read(onLine: (line: string) => void, onSkip?: () => void): Promise<number>
}

/** A first read, and one after long neglect, goes back this far and no further: a large transcript costs no more. */
export const MAX_BACK_BYTES = 4 * 1_024 * 1_024
/** A longer line is passed over; the longest of ours, a tool's answer of 20,000 characters three times, is far below. */
const MAX_LINE_BYTES = 1_024 * 1_024
const CHUNK_BYTES = 256 * 1_024
const NEWLINE = 10

/** Makes the tail of a file; nothing is opened before the first read. */
export function createTail(path: string, { back = MAX_BACK_BYTES }: { back?: number } = {}): Tail {
  let file: string | undefined
  let offset = 0
  let partial: Buffer[] = []
  let partialBytes = 0
  /** Up to the next line's beginning: it stands in the middle of one, or in one that is too long. */
  let skips = false

  function begin(at: number) {
    offset = at
    partial = []
    partialBytes = 0
    skips = at > 0
  }

  function keep(bytes: Buffer) {
    if (skips || bytes.length === 0) return
    partialBytes += bytes.length
    if (partialBytes <= MAX_LINE_BYTES) return void partial.push(Buffer.from(bytes))
    partial = []
    partialBytes = 0
    skips = true
  }

  function take(chunk: Buffer, onLine: (line: string) => void) {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      keep(chunk.subarray(start, end))
      // Whole lines are decoded, so that no character is cut in two.
      if (!skips && partialBytes > 0) onLine(Buffer.concat(partial).toString('utf8'))
      partial = []
      partialBytes = 0
      skips = false
      start = end + 1
    }
    keep(chunk.subarray(start))
  }

  async function readFrom(
    handle: FileHandle,
    onLine: (line: string) => void,
    onSkip: () => void,
  ): Promise<number> {
    const { size, dev, ino } = await handle.stat()
    const found = `${dev}:${ino}`
    if (found !== file || size < offset) {
      begin(0)
      onSkip()
    }
    file = found
    if (size - offset > back) {
      begin(size - back)
      onSkip()
    }
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(1, size - offset)))
    let read = 0
    while (offset < size) {
      const { bytesRead } = await handle.read(chunk, 0, Math.min(chunk.length, size - offset), offset)
      if (bytesRead === 0) break
      offset += bytesRead
      read += bytesRead
      take(chunk.subarray(0, bytesRead), onLine)
    }
    return read
  }

  return {
    path,
    async read(onLine, onSkip = () => undefined) {
      const handle = await openIfThere(path)
      if (!handle) return 0
      try {
        return await readFrom(handle, onLine, onSkip)
      } finally {
        await handle.close()
      }
    },
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw cause
  }
}
