import { closeSync, existsSync, openSync } from 'node:fs'
import Sqlite from 'better-sqlite3'

/** Held until it is released, or its process ends. */
export type Claim = { release(): void }

/**
 * Claims a database for this process, before anything looks into it; `undefined` when another process has it, and keeps it
 * for `waitMs`. The claim is a lock of the operating system on `<database>.lock`, so it ends with the process however that dies: no
 * stale pid file, no race between reading and writing one. SQLite takes it for us on every platform.
 */
export function claimDatabase(file: string, { waitMs = 0 } = {}): Claim | undefined {
  const path = `${file}.lock`
  // Only when it is new: POSIX drops every lock of a process on a file as soon as the process closes it anywhere.
  if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600))
  const lock = new Sqlite(path, { timeout: waitMs })
  try {
    lock.pragma('journal_mode = MEMORY')
    lock.exec('begin exclusive')
  } catch (cause) {
    lock.close()
    if ((cause as { code?: string }).code === 'SQLITE_BUSY') return undefined
    throw cause
  }
  return { release: () => lock.close() }
}
