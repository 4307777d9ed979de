/**
 * Changing a database file as a whole: the new one is built beside the old and renamed over it, so that a kill at
 * any instruction leaves either the old file or the new, and the old one stays as the backup. The price is the
 * disk space of a second copy, which a backup takes anyway.
 */
import { closeSync, fsyncSync, linkSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import Sqlite from 'better-sqlite3'

/** Where a backup of this moment goes; never an existing file's name when the clock moves on. */
export function backupName(file: string, label: string, now: number): string {
  const stamp = new Date(now).toISOString().replaceAll(/[-:]/g, '').replace('T', '-').slice(0, 15)
  return `${file}.${label}-${stamp}`
}

/**
 * Runs `build` on the path of a new, absent file, then swaps: `file` keeps its old content under `backup` and gets
 * the new one. Whatever `build` throws leaves `file` untouched. Nobody else may have `file` open.
 */
export function replaceDatabaseFile(file: string, backup: string, build: (target: string) => void): void {
  const target = `${file}.building`
  removeDatabaseFile(target)
  try {
    build(target)
    leaveWal(target)
    leaveWal(file)
    rmSync(backup, { force: true })
    linkSync(file, backup)
    syncPath(target)
    renameSync(target, file)
    syncPath(dirname(file))
  } catch (cause) {
    removeDatabaseFile(target)
    throw cause
  }
}

/** Writes every page into the main file. A write-ahead log left beside a replaced file would be played into it. */
function leaveWal(file: string) {
  const sqlite = new Sqlite(file, { timeout: 5_000 })
  try {
    const mode = sqlite.pragma('journal_mode = DELETE', { simple: true })
    if (mode !== 'delete') throw new Error(`${file} is open in another process`)
  } finally {
    sqlite.close()
  }
}

function removeDatabaseFile(file: string) {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(file + suffix, { force: true })
}

function syncPath(path: string) {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
