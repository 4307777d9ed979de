/**
 * Statements that stay prepared. SQLite plans a statement anew before its next run when the plan might depend on a value that
 * was bound (https://www.sqlite.org/c3ref/prepare.html, on `sqlite3_prepare_v2`), and it thinks so of nearly every
 * condition and limit on a bare `?`, even in vain. As better-sqlite3 clears what was bound after each run, every run then
 * parsed and planned again: 60 % of the time of an exchange. Of a `+?`, which is the same value, it expects nothing.
 */
import type Sqlite from 'better-sqlite3'
import { BetterSQLite3Database, BetterSQLiteSession, type PreparedQuery } from 'drizzle-orm/better-sqlite3'
import { SQLiteSyncDialect } from 'drizzle-orm/sqlite-core'
import { toStatement } from './statement.ts'

/** What a statement writes to, when it writes. */
const WRITTEN = /^(?:insert into|update|delete from) "(\w+)"/

/**
 * Opens the query builder of a connection, whose statements are planned once, when they are prepared. `written` is told
 * the table before each run of a statement that writes.
 */
export function openOrm(
  sqlite: Sqlite.Database,
  written: (table: string) => void = () => undefined,
): BetterSQLite3Database {
  const dialect = new SQLiteSyncDialect()
  dialect.escapeParam = () => '+?'
  const session = new BetterSQLiteSession<Record<string, never>, Record<string, never>>(
    sqlite,
    dialect,
    undefined,
  )
  session.prepareQuery = ({ sql, params }, fields) => {
    const [, table] = WRITTEN.exec(sql) ?? []
    const before = table === undefined ? undefined : () => written(table)
    return toStatement(sqlite.prepare(sql), params, { fields, before }) as unknown as PreparedQuery<never>
  }
  return new BetterSQLite3Database('sync', dialect, session, undefined)
}
