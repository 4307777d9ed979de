/**
 * Copies of the whole database. A backup is taken while the hub runs and writes: SQLite copies one state of it, and what is
 * committed meanwhile is not in it. It becomes visible under its name only when it is whole, checked and on the disk.
 */
import { chmodSync, closeSync, linkSync, lstatSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import Sqlite from 'better-sqlite3'
import { backupNameIn, pruneBackups } from './backups.ts'
import { inspectFile, openUntouched, type Inspection } from './inspect.ts'
import { checkIntegrity, sayDamage, toDamage } from './integrity.ts'
import { finish, keepAs, removeDatabaseFile, syncDirectory } from './replace-file.ts'

/** A backup that was made: `waiting` messages in it are queued or on offer; `removed`: older ones that made room. */
export type Backup = { path: string; bytes: number; waiting: number; removed: string[] }

/** A backup cannot be made or used as asked for; the message says what to do. Nothing was changed. */
export class BackupError extends Error {
  override name = 'BackupError'
}

export type BackupOptions = {
  file: string
  /** The folder of generated migrations (`drizzle/`). */
  folder: string
  /** A file that is not there yet, or a directory in which the backup gets the name of this moment. */
  target: string
  /** With a directory: how many backups of this database stay there. */
  keep?: number | undefined
  now: number
}

/** Every page in one step: SQLite begins anew whenever somebody else writes between two. */
const ALL_PAGES = 0x7fff_ffff

/** Makes a backup that only its owner can read. Rejects with BackupError or DamagedDatabaseError. */
export async function backUpDatabase(options: BackupOptions): Promise<Backup> {
  const { file, folder, target, keep, now } = options
  checkKind(sayDamage(file, () => inspectFile(file, folder)).kind, file)
  const intoDirectory = isDirectory(target)
  if (keep !== undefined && !intoDirectory) {
    throw new BackupError(
      `To keep some backups and remove older ones, give a directory: ${target} is none. Nothing was backed up.`,
    )
  }
  if (!intoDirectory) checkTarget(target)
  const wanted = intoDirectory ? backupNameIn(target, file, now) : target
  const part = `${wanted}.${process.pid}.part`
  create(part, wanted)
  try {
    await copy(file, part)
    finish(part)
    const waiting = checkIntegrity(part, countWaiting)
    const path = intoDirectory ? keepAs(part, wanted) : place(part, wanted)
    chmodSync(path, 0o600)
    syncDirectory(dirname(path))
    const removed = keep === undefined ? [] : pruneBackups(path, keep)
    return { path, bytes: statSync(path).size, waiting, removed }
  } catch (cause) {
    throw isOfTarget(cause) ? toUnwritable(wanted, cause) : toDamage(file, cause)
  } finally {
    removeDatabaseFile(part)
  }
}

/** Of what kind the database itself is, is the hub's to say; whatever is ours can be copied. */
function checkKind(kind: Inspection['kind'], file: string) {
  if (kind === 'absent') throw new BackupError(`There is no mail in ${file} yet: nothing was backed up.`)
  if (kind === 'foreign') {
    throw new BackupError(`${file} is not a database of claude-peers: nothing was backed up.`)
  }
  if (kind === 'predecessor') {
    throw new BackupError(
      `${file} is still a database of claude-peers v2: "claude-peers migrate" takes it over, and keeps it as it is for a backup.`,
    )
  }
}

const isDirectory = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false

function checkTarget(target: string) {
  if (lstatSync(target, { throwIfNoEntry: false })) {
    throw new BackupError(
      `${target} is there already and was left as it is: give another name, or a directory.`,
    )
  }
  if (isDirectory(dirname(target))) return
  throw new BackupError(`There is no directory ${dirname(target)}: make it first. Nothing was backed up.`)
}

function create(part: string, wanted: string) {
  try {
    closeSync(openSync(part, 'wx', 0o600))
  } catch (cause) {
    throw toUnwritable(wanted, cause)
  }
}

/** The database is only read: whatever cannot be written is the backup. */
const OF_TARGET = /^E[A-Z]+$|^SQLITE_(?:FULL|CANTOPEN|READONLY|IOERR_(?:WRITE|FSYNC|DIR_FSYNC|TRUNCATE))/

const isOfTarget = (cause: unknown) => OF_TARGET.test((cause as { code?: string }).code ?? '')

function toUnwritable(path: string, cause: unknown): BackupError {
  const reason = (cause as Error).message
  return new BackupError(
    `${path} cannot be written (${reason}): nothing was backed up. Make room there, or give another place.`,
    { cause },
  )
}

async function copy(file: string, target: string): Promise<void> {
  const sqlite = openUntouched(file)
  try {
    await sqlite.backup(target, { progress: () => ALL_PAGES })
  } finally {
    sqlite.close()
  }
}

function countWaiting(sqlite: Sqlite.Database): number {
  return sqlite.prepare('select count(*) from deliveries where settled_at is null').pluck().get() as number
}

/** Gives a finished file its name, and never takes that of another; returns it. */
function place(part: string, target: string): string {
  try {
    linkSync(part, target)
  } catch {
    // Where there are no links, as on some USB sticks.
    checkTarget(target)
    renameSync(part, target)
  }
  rmSync(part, { force: true })
  return target
}
