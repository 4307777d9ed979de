/**
 * Whether the files of a database are still the ones that are open. SQLite goes on in a file that was moved, replaced or
 * deleted, and in a write-ahead log that was: what it commits there is lost to whoever opens the path next (seen; in a log
 * without a name, everything since the last checkpoint).
 */
import { readdirSync, readlinkSync, statSync } from 'node:fs'
import type Sqlite from 'better-sqlite3'

/** The database is no longer at its path; what was asked for last may be in the file that was moved. */
export class MovedDatabaseError extends Error {
  override name = 'MovedDatabaseError'
}

export type InPlace = {
  /**
   * Makes what was committed findable: throws MovedDatabaseError when the database is no longer at its path, and writes the
   * log into the database when the log is no longer at its path. True when all is as it was.
   */
  secure(): boolean
  /** Where the open database is now, where the system tells that: Linux. */
  findMoved(): string | undefined
}

/** Watches the files of an open database; of one in memory there is nothing to watch. */
export function watchInPlace(sqlite: Sqlite.Database): InPlace {
  const file = sqlite.name
  if (sqlite.memory) return { secure: () => true, findMoved: () => undefined }
  const log = `${file}-wal`
  const opened = inodeOf(file)
  // It is made with the first write.
  let openedLog = inodeOf(log)
  return {
    secure() {
      if (inodeOf(file) !== opened) throw new MovedDatabaseError(`The database is no longer at ${file}.`)
      const found = inodeOf(log)
      openedLog ??= found
      if (found === openedLog) return true
      sqlite.pragma('wal_checkpoint(TRUNCATE)')
      return false
    },
    findMoved: () => (opened === undefined ? undefined : findOpen(opened)),
  }
}

const inodeOf = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.ino

/** The path of what this process has open under an inode; the links of Linux follow a rename. */
function findOpen(inode: number): string | undefined {
  try {
    const links = readdirSync('/proc/self/fd').map((fd) => `/proc/self/fd/${fd}`)
    const link = links.find((path) => inodeOf(path) === inode)
    const path = link && readlinkSync(link)
    return path && inodeOf(path) === inode ? path : undefined
  } catch {
    return undefined
  }
}
