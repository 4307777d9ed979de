import { mkdirSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type Sqlite from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
import { adoptPredecessor } from './adopt.ts'
import { backupName, pruneBackups } from './backups.ts'
import { openSqlite } from './connection.ts'
import { beginEpoch } from './epoch.ts'
import { inspectFile } from './inspect.ts'
import { createDatabaseFile, replaceDatabaseFile } from './replace-file.ts'

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

/** The file is somebody else's: another program's database, or none at all. It was not touched. */
export class ForeignDatabaseError extends Error {
  override name = 'ForeignDatabaseError'
}

export type MigrateOptions = {
  file: string
  /** The folder of generated migrations (`drizzle/`). */
  folder: string
  now: number
  /** This machine, the owner of the sessions found in a database of claude-peers v1 or v2. */
  machine: { id: string; host: string }
  /** How long mail that is adopted from them goes on to wait, in ms; seven days by default. */
  expireAfterMs?: number | undefined
}

/**
 * Brings the file to the newest schema. An older file, or one of claude-peers v1/v2, is rebuilt beside and kept as
 * a backup. Throws NewerDatabaseError, ForeignDatabaseError, or what SQLite says; the file is then as it was. The caller
 * holds the claim.
 */
export function migrateFile(options: MigrateOptions): MigrationResult {
  const { folder, now, machine } = options
  const file = followLinks(options.file)
  const { kind, pending } = inspectFile(file, folder)
  switch (kind) {
    case 'current':
      return { outcome: 'current', applied: 0 }
    case 'absent':
      createDatabaseFile(file, (target) => runMigrations(target, folder, beginEpoch))
      return { outcome: 'created', applied: pending }
    case 'older': {
      const backup = replace(file, backupName(file, 'backup', now), (old, target) => {
        old.prepare('vacuum into ?').run(target)
        runMigrations(target, folder)
      })
      return { outcome: 'migrated', applied: pending, backup }
    }
    case 'predecessor': {
      const backup = replace(file, backupName(file, 'v2-backup', now), (old, target) => {
        runMigrations(target, folder, (sqlite) => {
          adoptPredecessor({ old, sqlite, now, machine, expireAfterMs: options.expireAfterMs })
          beginEpoch(sqlite)
        })
      })
      return { outcome: 'adopted', applied: pending, backup }
    }
    case 'newer':
      throw new NewerDatabaseError(
        `${file} was written by a newer claude-peers. Update this installation, or set CLAUDE_PEERS_DB to another file.`,
      )
    case 'foreign':
      throw new ForeignDatabaseError(
        `${file} is not a database of claude-peers and was left as it is. Move it away, or set CLAUDE_PEERS_DB to another file.`,
      )
  }
}

const replace: typeof replaceDatabaseFile = (file, wanted, build) => {
  const backup = replaceDatabaseFile(file, wanted, build)
  pruneBackups(backup)
  return backup
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

function runMigrations(file: string, folder: string, then?: (sqlite: Sqlite.Database) => void): void {
  const sqlite = openSqlite(file)
  try {
    migrateConnection(sqlite, folder)
    then?.(sqlite)
  } finally {
    sqlite.close()
  }
}

/** The real path: replacing a link by a file would leave the data behind it. Makes a missing directory, 0700. */
export function followLinks(file: string): string {
  try {
    return realpathSync(file)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    return join(realpathSync(dirname(file)), basename(file))
  }
}
