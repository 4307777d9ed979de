/**
 * Going on from a backup. What happened after it was made has happened all the same, at sessions that remember it: its
 * mail may have been read, its numbers and feed positions were given to others. So waiting mail is marked as possibly seen
 * before, messages get numbers far above those of the backup, and the feeds begin a new history.
 */
import { closeSync, copyFileSync, existsSync, openSync, renameSync, statSync } from 'node:fs'
import type Sqlite from 'better-sqlite3'
import { BackupError } from './backup.ts'
import { backupName } from './backups.ts'
import { openSqlite } from './connection.ts'
import { beginEpoch } from './epoch.ts'
import { inspectFile, type Inspection } from './inspect.ts'
import { checkIntegrity, isDamage, sayDamage } from './integrity.ts'
import { MESSAGE_TTL_MS } from './limits.ts'
import { followLinks, migrateConnection, NewerDatabaseError } from './migrate.ts'
import {
  createDatabaseFile,
  finish,
  keepAs,
  removeDatabaseFile,
  replaceDatabaseFile,
} from './replace-file.ts'
import { keepTokens } from './restore-tokens.ts'

/**
 * What a restore did: `waiting` messages wait again, `applied` migrations made the backup as new as this version, and the
 * database as it was before is at `kept`. `knowsMachine`: sessions of this machine have their seats in it. `unchecked`: the
 * labels of the machine tokens that are valid because they were so in the backup, and that nothing newer tells of.
 */
export type Restored = {
  waiting: number
  applied: number
  nextMessageId: number
  kept: string | undefined
  knowsMachine: boolean
  unchecked: string[]
}

export type RestoreOptions = {
  file: string
  /** The folder of generated migrations (`drizzle/`). */
  folder: string
  /** The backup; it is only read. */
  from: string
  machineId: string
  now: number
  /** How long what waits in the backup waits from now on, in ms; seven days by default. */
  expireAfterMs?: number | undefined
}

/** What the database is that a backup takes the place of. */
type Present = 'absent' | 'damaged' | 'whole'

/**
 * More messages than a network sends between two backups of a timer (60 a minute from one peer to another): the numbers
 * that were given since are given to no other message.
 */
const NUMBERS_SKIPPED = 10_000

/**
 * Puts a backup in the place of the database, which is kept beside. Throws BackupError, DamagedDatabaseError or
 * NewerDatabaseError; everything is then as it was. The caller holds the claim.
 */
export function restoreDatabase(options: RestoreOptions): Restored {
  const { folder, from, machineId, now, expireAfterMs = MESSAGE_TTL_MS } = options
  const file = followLinks(options.file)
  checkSource(from, file)
  const present = inspectPresent(file, folder)
  const prepared = `${file}.restoring`
  removeDatabaseFile(prepared)
  try {
    copyWhole(from, prepared)
    const applied = bringUpToDate(prepared, { from, folder })
    const known = present === 'absent' ? undefined : file
    const told = goOn(prepared, { machineId, now, present: known, expireAfterMs })
    finish(prepared)
    return { ...told, applied, kept: putInPlace(prepared, { file, present, now }) }
  } finally {
    removeDatabaseFile(prepared)
  }
}

/** Throws BackupError for what cannot be a backup of that database, before anything is stopped for it. */
export function checkSource(from: string, file: string): void {
  const source = statSync(from, { throwIfNoEntry: false, bigint: true })
  if (!source?.isFile()) throw new BackupError(`There is no file ${from}: nothing was restored.`)
  const present = statSync(file, { throwIfNoEntry: false, bigint: true })
  if (present?.ino === source.ino && present.dev === source.dev) {
    throw new BackupError(`${from} is the database itself: give one of its backups.`)
  }
}

/** What is there now is replaced when it is ours, whatever state it is in, but not when it is somebody else's. */
function inspectPresent(file: string, folder: string): Present {
  const kind = sayKind(file, folder)
  if (kind !== 'foreign') return kind === 'absent' || kind === 'damaged' ? kind : 'whole'
  throw new BackupError(
    `${file} holds something that is no database of claude-peers: move it away first, then restore again.`,
  )
}

function sayKind(file: string, folder: string): Inspection['kind'] | 'damaged' {
  try {
    return inspectFile(file, folder).kind
  } catch (cause) {
    if (isDamage(cause)) return 'damaged'
    throw cause
  }
}

/** A copy that may be changed, with what a log beside the backup holds; the backup itself is not opened. */
function copyWhole(from: string, target: string) {
  for (const suffix of ['', '-wal']) {
    if (suffix !== '' && !existsSync(from + suffix)) continue
    closeSync(openSync(target + suffix, 'wx', 0o600))
    copyFileSync(from + suffix, target + suffix)
  }
}

/** Migrates the copy if it is older; returns how many migrations that took. */
function bringUpToDate(prepared: string, { from, folder }: { from: string; folder: string }): number {
  const { kind, pending } = sayDamage(from, () => inspectFile(prepared, folder))
  if (kind === 'absent') throw new BackupError(`${from} is empty: nothing was restored.`)
  if (kind === 'predecessor') {
    throw new BackupError(
      `${from} is a database of claude-peers v2: put it where the database is and run "claude-peers migrate".`,
    )
  }
  if (kind === 'foreign') {
    throw new BackupError(`${from} is not a database of claude-peers: nothing was restored.`)
  }
  if (kind === 'newer') {
    throw new NewerDatabaseError(
      `${from} was written by a newer claude-peers: update this installation first. Nothing was restored.`,
    )
  }
  sayDamage(from, () => checkIntegrity(prepared, () => undefined))
  if (pending > 0) change(prepared, (sqlite) => migrateConnection(sqlite, folder))
  return pending
}

/** Makes the copy a history of its own. */
function goOn(
  prepared: string,
  {
    machineId,
    now,
    present,
    expireAfterMs,
  }: { machineId: string; now: number; present: string | undefined; expireAfterMs: number },
): Pick<Restored, 'waiting' | 'nextMessageId' | 'knowsMachine' | 'unchecked'> {
  return change(prepared, (sqlite) => {
    beginEpoch(sqlite)
    // An offer ends with the hub that made it. What waited in the backup waits its whole time from now on.
    const { changes: waiting } = sqlite
      .prepare(
        `update deliveries set state = 'queued', lease_until = null, attempts = max(attempts, 1), expires_at = ?
          where settled_at is null`,
      )
      .run(now + expireAfterMs)
    const knowsMachine = sqlite.prepare('select 1 from machines where id = ?').get(machineId) !== undefined
    const unchecked = keepTokens(sqlite, { present, now })
    return { waiting, nextMessageId: skipNumbers(sqlite), knowsMachine, unchecked }
  })
}

function skipNumbers(sqlite: Sqlite.Database): number {
  const last = sqlite.prepare("select seq from sqlite_sequence where name = 'messages'").pluck().get()
  const skipped = Number(last ?? 0) + NUMBERS_SKIPPED
  sqlite.prepare("delete from sqlite_sequence where name = 'messages'").run()
  sqlite.prepare("insert into sqlite_sequence (name, seq) values ('messages', ?)").run(skipped)
  return skipped + 1
}

function change<T>(prepared: string, work: (sqlite: Sqlite.Database) => T): T {
  const sqlite = openSqlite(prepared)
  try {
    return work(sqlite)
  } finally {
    sqlite.close()
  }
}

/** Renames the copy over the database; returns where that is kept, if there was one. */
function putInPlace(
  prepared: string,
  { file, present, now }: { file: string; present: Present; now: number },
): string | undefined {
  const build = (target: string) => renameSync(prepared, target)
  if (present === 'absent') {
    createDatabaseFile(file, build)
    return undefined
  }
  const wanted = backupName(file, 'backup', now)
  // SQLite would clear away the log of a damaged file, which may be the better part of it.
  if (present === 'damaged') return setAside(file, wanted, build)
  try {
    return replaceDatabaseFile(file, wanted, (_, target) => build(target))
  } catch (cause) {
    if (!isDamage(cause)) throw cause
    return setAside(file, wanted, build)
  }
}

/** The same for a file that SQLite cannot open. */
function setAside(file: string, wanted: string, build: (target: string) => void): string {
  const kept = keepAs(file, wanted)
  if (existsSync(`${file}-wal`)) keepAs(`${file}-wal`, `${kept}-wal`)
  createDatabaseFile(file, build)
  return kept
}
