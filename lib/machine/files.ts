import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { toLabel } from './processes.ts'

/** Reads a file, or `undefined` when there is none, as below a file that stands where a directory belongs. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException).code ?? '')) return undefined
    throw cause
  }
}

/** Writes a file that only its owner can read, so that a reader sees the old content or the new, never a part. */
export function writePrivate(path: string, content: string): void {
  writeBeside(path, { content, flush: false }, (temporary) => renameSync(temporary, path))
}

/**
 * The same for a mark that is worth less than nothing when it is old: on a full disk it is written over in place, where a
 * reader may see a part of it. Throws when there is none yet, or it would have to grow.
 */
export function rewritePrivate(path: string, content: string): void {
  try {
    writePrivate(path, content)
  } catch (cause) {
    if (!isDiskFull(cause)) throw cause
    writeFileSync(path, content, { flag: 'r+' })
    truncateSync(path, Buffer.byteLength(content))
  }
}

/** Whether something failed for want of blocks, inodes or quota. */
export function isDiskFull(cause: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((cause as NodeJS.ErrnoException).code ?? '')
}

/** What to say of a full disk below a directory; `undefined` when it has room. */
export function explainFullDisk(directory: string): string | undefined {
  try {
    const { bavail, bsize, files, ffree } = statfsSync(directory)
    if (bavail * bsize >= LEAST_ROOM && (files === 0 || ffree > 0)) return undefined
    const missing = bavail * bsize < LEAST_ROOM ? 'space' : 'files (inodes)'
    return `The disk of ${directory} has no ${missing} left: free some, and try again.`
  } catch {
    return undefined
  }
}

/** Less than a hub needs to start. */
const LEAST_ROOM = 256 * 1_024

/**
 * The same for a file that is made once, and is there after a power cut: of racing processes the first wins, because a
 * link is made whole or not at all. Some homes have no links (FAT, Android, some network drives): there the first wins
 * under a lock.
 */
export function createPrivate(path: string, content: string): void {
  writeBeside(path, { content, flush: true }, (temporary) => {
    try {
      linkSync(temporary, path)
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return
      renameIfAbsent(temporary, path)
    }
  })
  syncDirectory(dirname(path))
}

/** A lock is held for two system calls: one of this age was left by a process that was killed. */
const STALE_LOCK_MS = 1_000

/** Renames a file unless there is one of that name. The lock is a directory: of several that make it, one succeeds. */
function renameIfAbsent(temporary: string, path: string) {
  const lock = `${path}.lock`
  while (!takeLock(lock)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
  try {
    if (!existsSync(path)) renameSync(temporary, path)
  } finally {
    dropLock(lock)
  }
}

/** Takes it, or removes a stale one for the next attempt. Throws where no directory can be made. */
function takeLock(lock: string): boolean {
  try {
    mkdirSync(lock)
    return true
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
  }
  const madeAt = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()
  // Also one of the future, as after the clock was set back.
  if (Math.abs(Date.now() - madeAt) > STALE_LOCK_MS) dropLock(lock)
  return false
}

function dropLock(lock: string) {
  try {
    rmdirSync(lock)
  } catch {
    // Another process has taken it for a stale one.
  }
}

function writeBeside(
  path: string,
  { content, flush }: { content: string; flush: boolean },
  put: (temporary: string) => void,
): void {
  const temporary = `${path}.${toLabel(process.pid)}.tmp`
  try {
    writeFileSync(temporary, content, { mode: 0o600, flush })
    put(temporary)
  } finally {
    rmSync(temporary, { force: true })
  }
}

/** Makes new names in a directory durable; Windows has no such call and needs none. */
export function syncDirectory(path: string): void {
  if (process.platform === 'win32') return
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Parses JSON, or `undefined` when it is none: for files of our own that a crash or a hand may have spoilt. */
export function parseJson(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}
