import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs'
import Sqlite from 'better-sqlite3'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { isPredecessor } from './adopt.ts'

/** What a database file is to this version, and how many of its migrations it lacks. */
export type Inspection = {
  kind: 'absent' | 'current' | 'older' | 'newer' | 'predecessor' | 'foreign'
  pending: number
}

/** Looks at a file without changing a byte of it: it may belong to somebody else. `absent`: it holds nothing. */
export function inspectFile(file: string, folder: string): Inspection {
  const known = readMigrationFiles({ migrationsFolder: folder }).map((one) => one.folderMillis)
  if (!existsSync(file) || statSync(file).size === 0) return { kind: 'absent', pending: known.length }
  if (!hasHeader(file)) return { kind: 'foreign', pending: 0 }
  const sqlite = openUntouched(file)
  try {
    return inspect(sqlite, known)
  } catch (cause) {
    if ((cause as { code?: string }).code === 'SQLITE_NOTADB') return { kind: 'foreign', pending: 0 }
    throw cause
  } finally {
    sqlite.close()
  }
}

function inspect(sqlite: Sqlite.Database, known: number[]): Inspection {
  const objects = sqlite.prepare('select count(*) from sqlite_master').pluck().get()
  if (objects === 0) return { kind: 'absent', pending: known.length }
  if (isPredecessor(sqlite)) return { kind: 'predecessor', pending: known.length }
  const applied = appliedMigrations(sqlite)
  // Other programs use the same tool and table; the time of a migration tells ours apart.
  if (!applied.some((createdAt) => known.includes(createdAt))) return { kind: 'foreign', pending: 0 }
  const last = Math.max(...applied)
  if (last > Math.max(...known)) return { kind: 'newer', pending: 0 }
  const pending = known.filter((createdAt) => createdAt > last).length
  return { kind: pending > 0 ? 'older' : 'current', pending }
}

function appliedMigrations(sqlite: Sqlite.Database): number[] {
  const table = sqlite.prepare("select 1 from sqlite_master where name = '__drizzle_migrations'").get()
  if (!table) return []
  return sqlite.prepare('select created_at from __drizzle_migrations').pluck().all().map(Number)
}

/** Without its header (https://www.sqlite.org/fileformat.html), SQLite takes a file of a few bytes for a new database. */
function hasHeader(file: string): boolean {
  const header = Buffer.alloc(16)
  const fd = openSync(file, 'r')
  try {
    return readSync(fd, header) === 16 && header.toString('latin1') === 'SQLite format 3\0'
  } finally {
    closeSync(fd)
  }
}

/**
 * A log that was left behind is only read: the last writer to close a database moves its log into the file. Without one
 * a writer changes nothing, and unlike a reader it takes its own files along when it closes.
 */
export function openUntouched(file: string): Sqlite.Database {
  const log = `${file}-wal`
  return new Sqlite(file, { readonly: existsSync(log) && statSync(log).size > 0 })
}
