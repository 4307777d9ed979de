import { readFileSync } from 'node:fs'

/** One event of a recorded process, in the order in which it happened (shim/record.c). */
export type DiskEvent =
  | { kind: 'write'; inode: number; name: string; offset: number; data: Buffer }
  | { kind: 'size'; inode: number; name: string; length: number }
  | { kind: 'sync' | 'create'; inode: number; name: string }
  | { kind: 'rename' | 'link' | 'unlink'; name: string; to: string }
  /** Bytes that went out on a socket. */
  | { kind: 'answer'; data: Buffer }

const WORDS = 6

/** Reads the log of one or several processes, one after the other. */
export function readDiskLog(path: string): DiskEvent[] {
  const bytes = readFileSync(path)
  const events: DiskEvent[] = []
  for (let at = 0; at < bytes.length;) {
    const word = (index: number) => Number(bytes.readBigUInt64LE(at + 8 * index))
    const [kind, inode, offset] = [String.fromCharCode(word(0)), word(1), word(2)]
    const start = at + 8 * WORDS
    const afterName = start + word(3)
    const afterTo = afterName + word(4)
    const end = afterTo + word(5)
    const name = bytes.toString('utf8', start, afterName).replace(/ \(deleted\)$/, '')
    const to = bytes.toString('utf8', afterName, afterTo)
    events.push(toEvent(kind, { inode, offset, name, to, data: bytes.subarray(afterTo, end) }))
    at = end
  }
  return events
}

type Fields = { inode: number; offset: number; name: string; to: string; data: Buffer }

function toEvent(kind: string, { inode, offset, name, to, data }: Fields): DiskEvent {
  switch (kind) {
    case 'W':
      return { kind: 'write', inode, name, offset, data }
    case 'T':
      return { kind: 'size', inode, name, length: offset }
    case 'Y':
      return { kind: 'sync', inode, name }
    case 'C':
      return { kind: 'create', inode, name }
    case 'R':
      return { kind: 'rename', name, to }
    case 'L':
      return { kind: 'link', name, to }
    case 'U':
      return { kind: 'unlink', name, to }
    case 'S':
      return { kind: 'answer', data }
    default:
      throw new Error(`the log of the disk has no event ${JSON.stringify(kind)}`)
  }
}
