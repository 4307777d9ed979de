import { existsSync, statSync } from 'node:fs'
import type Sqlite from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { adoptPredecessor, isPredecessor } from './adopt.ts'
import { openSqlite } from './connection.ts'
import { backupName, replaceDatabaseFile } from './replace-file.ts'

/** What `migrateFile` did: how many migrations it ran, and where the file as it was before is kept. */
export type MigrationResult = {
  outcome: 'created' | 'current' | 'migrated' | 'adopted'
  applied: number
  backup?: string
}

/** The database was written by a newer claude-peers; opening it with this one could lose what it does not know. */
export class NewerDatabaseError extends Error {
  override name = 'NewerDatabaseError'
}

export type MigrateOptions = {
  file: string
  /** The folder of generated migrations (`drizzle/`). */
  folder: string
  now: number
  /** This machine, the owner of the sessions found in a database of claude-peers v1 or v2. */
  machine: { id: string; host: string }
}

/**
 * Brings the file to the newest schema. An older file, or one of claude-peers v1/v2, is rebuilt beside and kept as
 * a backup. Throws NewerDatabaseError, or what SQLite says; the file is then as it was. The caller holds the claim.
 */
export function migrateFile(options: MigrateOptions): MigrationResult {
  const { file, folder, now } = options
  if (!existsSync(file) || statSync(file).size === 0) return createFile(options)
  const version = inspect(file, folder)
  if (version.predecessor) {
    const backup = backupName(file, 'v2-backup', now)
    replaceDatabaseFile(file, backup, (target) => {
      createFile({ ...options, file: target })
      adoptPredecessor({ ...options, from: file, to: target })
    })
    return { outcome: 'adopted', applied: version.pending, backup }
  }
  if (version.pending === 0) return { outcome: 'current', applied: 0 }
  const backup = backupName(file, 'backup', now)
  replaceDatabaseFile(file, backup, (target) => {
    copyDatabase(file, target)
    runMigrations(target, folder)
  })
  return { outcome: 'migrated', applied: version.pending, backup }
}

/** Runs every migration on an open connection; for databases in memory and new files. */
export function migrateConnection(sqlite: Sqlite.Database, folder: string): void {
  // A rebuilt table drops its old self, and with foreign keys on that empties its children by cascade.
  // https://github.com/drizzle-team/drizzle-orm/issues/5782
  sqlite.pragma('foreign_keys = OFF')
  migrate(drizzle(sqlite), { migrationsFolder: folder })
  const broken = sqlite.pragma('foreign_key_check') as unknown[]
  if (broken.length > 0) throw new Error(`the migration leaves ${broken.length} rows without their parent`)
  sqlite.pragma('foreign_keys = ON')
}

function createFile({ file, folder }: MigrateOptions): MigrationResult {
  return { outcome: 'created', applied: runMigrations(file, folder) }
}

function runMigrations(file: string, folder: string): number {
  const sqlite = openSqlite(file)
  try {
    migrateConnection(sqlite, folder)
    return readMigrationFiles({ migrationsFolder: folder }).length
  } finally {
    sqlite.close()
  }
}

function copyDatabase(from: string, to: string) {
  const sqlite = openSqlite(from)
  try {
    sqlite.prepare('vacuum into ?').run(to)
  } finally {
    sqlite.close()
  }
}

function inspect(file: string, folder: string): { predecessor: boolean; pending: number } {
  const known = readMigrationFiles({ migrationsFolder: folder })
  const sqlite = openSqlite(file)
  try {
    if (isPredecessor(sqlite)) return { predecessor: true, pending: known.length }
    const applied = appliedMigrations(sqlite)
    const newest = known.at(-1)?.folderMillis ?? 0
    if (applied.some((createdAt) => createdAt > newest)) {
      throw new NewerDatabaseError(
        `${file} was written by a newer claude-peers. Update this installation, or set CLAUDE_PEERS_DB to another file.`,
      )
    }
    return { predecessor: false, pending: known.filter((one) => !applied.includes(one.folderMillis)).length }
  } finally {
    sqlite.close()
  }
}

function appliedMigrations(sqlite: Sqlite.Database): number[] {
  const table = sqlite.prepare("select 1 from sqlite_master where name = '__drizzle_migrations'").get()
  if (!table) return []
  return sqlite.prepare('select created_at from __drizzle_migrations').pluck().all().map(Number)
}
