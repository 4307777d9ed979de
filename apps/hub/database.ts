import { BackupError } from '#db/backup'
import { DamagedDatabaseError } from '#db/integrity'
import { ForeignDatabaseError, NewerDatabaseError } from '#db/migrate'

/** The database file cannot be opened, read or written; the message names it. */
export class DatabaseError extends Error {
  override name = 'DatabaseError'
}

/** These say themselves what to do. */
const OUTSPOKEN = [NewerDatabaseError, ForeignDatabaseError, BackupError, DamagedDatabaseError]

/** Works on a database file, and says which file it is when that fails. */
export async function withDatabase<T>(file: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (OUTSPOKEN.some((kind) => cause instanceof kind)) throw cause
    const reason = (cause as Error).message
    throw new DatabaseError(
      `The database ${file} cannot be used (${reason}). Mend or move that file, or set CLAUDE_PEERS_DB to another one.`,
      { cause },
    )
  }
}
