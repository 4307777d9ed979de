export type Writes = ReturnType<typeof countWrites>

/** Counts the statements that wrote to each table: what was read of a table holds for as long as its count stays. */
export function countWrites() {
  const counts = new Map<string, number>()
  return {
    /** To be told before each statement that writes to a table. */
    note: (table: string): void => void counts.set(table, (counts.get(table) ?? 0) + 1),
    of: (table: string): number => counts.get(table) ?? 0,
  }
}
