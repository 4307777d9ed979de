import Sqlite from 'better-sqlite3'

/** A database file is damaged; the message names it and the first thing that is wrong. */
export class DamagedDatabaseError extends Error {
  override name = 'DamagedDatabaseError'
}

/** Opens a file that nobody else uses, reads all of it, and hands it on when it is whole. Throws what SQLite says. */
export function checkIntegrity<T>(file: string, then: (sqlite: Sqlite.Database) => T): T {
  const sqlite = new Sqlite(file, { fileMustExist: true })
  try {
    const [first] = sqlite.pragma('integrity_check') as { integrity_check: string }[]
    const found = first?.integrity_check ?? 'nothing was found'
    if (found !== 'ok') throw new Sqlite.SqliteError(found, 'SQLITE_CORRUPT')
    return then(sqlite)
  } finally {
    sqlite.close()
  }
}

/** Looks into a file, or a copy of it; throws DamagedDatabaseError, which names the file, when it is damaged. */
export function sayDamage<T>(file: string, look: () => T): T {
  try {
    return look()
  } catch (cause) {
    throw toDamage(file, cause)
  }
}

/** What is to be thrown for an error that came of a file: DamagedDatabaseError, or the error itself. */
export function toDamage(file: string, cause: unknown): unknown {
  if (!isDamage(cause)) return cause
  const reason = (cause as Error).message.replaceAll(/\s+/g, ' ').trim()
  return new DamagedDatabaseError(`${file} is damaged (${reason}): nothing was changed.`, { cause })
}

/** Whether an error of SQLite says that a file is damaged, or no database. */
export function isDamage(cause: unknown): boolean {
  return /^SQLITE_(?:CORRUPT|NOTADB|IOERR_SHORT_READ)/.test((cause as { code?: string }).code ?? '')
}
