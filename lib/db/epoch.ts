import { randomInt } from 'node:crypto'
import type Sqlite from 'better-sqlite3'

/**
 * Which history a database tells. A restored one counts its changes anew from an earlier point, so a cursor that was
 * given after that point means something else in it: cursors carry the epoch, and one of another epoch is none. It is
 * kept in the header of the file (https://www.sqlite.org/pragma.html#pragma_user_version), which every copy brings along.
 */
export function readEpoch(sqlite: Sqlite.Database): string {
  return (sqlite.pragma('user_version', { simple: true }) as number).toString(36)
}

/** Begins a new history: in a new database, and in one that goes on from a backup. */
export function beginEpoch(sqlite: Sqlite.Database): void {
  sqlite.pragma(`user_version = ${randomInt(1, 2 ** 31)}`)
}
