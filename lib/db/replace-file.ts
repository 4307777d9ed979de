/**
 * Changing a database file as a whole: the new one is built beside the old and renamed over it, so that a kill at
 * any instruction leaves either the old file or the new, and the old one stays as the backup. The price is the
 * disk space of a second copy, which a backup takes anyway.
 */
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { dirname } from 'node:path'
import Sqlite from 'better-sqlite3'

/** Builds a database on a path of its own and puts it at `file`, where nothing was that anybody needs. */
export function createDatabaseFile(file: string, build: (target: string) => void): void {
  buildBeside(file, (target) => {
    build(target)
    finish(target)
    // The log of a database that is gone would be played into the new one.
    removeDatabaseFile(file)
  })
}

/**
 * Builds a database from the old one at `file` and puts it in its place; returns where the old one is kept. Nobody else
 * can write to `file` meanwhile. Throws when somebody has it open, or what `build` throws; `file` is then as it was.
 */
export function replaceDatabaseFile(
  file: string,
  backup: string,
  build: (old: Sqlite.Database, target: string) => void,
): string {
  const old = openAlone(file)
  try {
    return buildBeside(file, (target) => {
      build(old, target)
      finish(target)
      chmodSync(file, 0o600)
      const kept = keepAs(file, backup)
      // Windows renames over no file that is open.
      if (process.platform === 'win32') old.close()
      return kept
    })
  } finally {
    old.close()
  }
}

/** Makes an empty file beside, and renames it over `file` once `build` has returned. */
function buildBeside<T>(file: string, build: (target: string) => T): T {
  const target = `${file}.building`
  removeDatabaseFile(target)
  try {
    closeSync(openSync(target, 'wx', 0o600))
    const result = build(target)
    renameSync(target, file)
    syncDirectory(dirname(file))
    return result
  } catch (cause) {
    removeDatabaseFile(target)
    throw cause
  }
}

/** Makes one durable file of a database: no log beside it. */
export function finish(target: string) {
  const sqlite = new Sqlite(target)
  try {
    leaveWal(sqlite)
  } finally {
    sqlite.close()
  }
  syncFile(target)
}

/** The only connection to a file, with every page in the main file and a lock until it is closed. */
function openAlone(file: string): Sqlite.Database {
  const sqlite = new Sqlite(file, { timeout: 5_000 })
  try {
    leaveWal(sqlite)
    sqlite.pragma('locking_mode = EXCLUSIVE')
    sqlite.exec('begin exclusive; commit')
    return sqlite
  } catch (cause) {
    sqlite.close()
    if ((cause as { code?: string }).code !== 'SQLITE_BUSY') throw cause
    throw new Error(`${file} is open in another process: end that one, such as a broker of claude-peers v2`, {
      cause,
    })
  }
}

/** Writes every page into the main file. A write-ahead log left beside a replaced file would be played into it. */
function leaveWal(sqlite: Sqlite.Database) {
  const mode = sqlite.pragma('journal_mode = DELETE', { simple: true })
  if (mode !== 'delete') throw new Error(`SQLite kept ${sqlite.name} in the journal mode ${String(mode)}`)
}

/** Gives a file a second name, or copies it where there are no links; takes the next free name, never an existing one. */
export function keepAs(file: string, wanted: string): string {
  for (let number = 1; ; number++) {
    const name = number === 1 ? wanted : `${wanted}-${number}`
    if (existsSync(name)) continue
    try {
      linkSync(file, name)
    } catch {
      // Under its name it is whole, also when this process is killed within.
      copyFileSync(file, `${name}.part`)
      syncFile(`${name}.part`)
      renameSync(`${name}.part`, name)
    }
    return name
  }
}

/** Removes a database with the files that SQLite keeps beside it. */
export function removeDatabaseFile(file: string) {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(file + suffix, { force: true })
}

/** Windows flushes only what is open for writing. */
function syncFile(path: string) {
  const fd = openSync(path, 'r+')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Makes the new name durable; Windows has no such call and needs none. */
export function syncDirectory(path: string) {
  if (process.platform === 'win32') return
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
