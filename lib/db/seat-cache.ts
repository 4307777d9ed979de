import type Sqlite from 'better-sqlite3'
import { getTableName } from 'drizzle-orm'
import { machines, peers } from './schema.ts'

/** How many are known at most: some MB, with the longest paths. */
const MOST_KNOWN = 2_000
const TABLES = new Set<string>([peers, machines].map(getTableName))

/**
 * Keeps the rows of seats: each call reads its caller's, and that rarely changes. Any statement that writes to what a
 * row is made of forgets all of them. Nothing is kept that was read within a transaction, which may be rolled back.
 */
export function createSeatCache<Row>(sqlite: Pick<Sqlite.Database, 'inTransaction'>) {
  const known = new Map<string, Row>()
  return {
    /** To be told before each statement that writes to a table. */
    written(table: string): void {
      if (TABLES.has(table)) known.clear()
    },
    /** The row of an id; `read` unless it is known. */
    get(id: string, read: () => Row | undefined): Row | undefined {
      const found = known.get(id)
      if (found) return found
      const row = read()
      if (row && !sqlite.inTransaction) {
        if (known.size >= MOST_KNOWN) known.clear()
        known.set(id, row)
      }
      return row
    },
  }
}
