import type { Context } from './context.ts'

/** So many rows of an answer cost as much as one call. */
const ROWS_PER_CALL = 25

const turns = new WeakMap<Context['database'], Promise<unknown>>()

/**
 * Resolves when a list may be made. The lists of all callers are made one in each turn of the event loop: whatever else
 * was asked, above all by a hook, comes in between, however many ask for lists.
 */
export function takeTurn({ database }: Context): Promise<unknown> {
  const turn = (turns.get(database) ?? Promise.resolve()).then(
    () => new Promise((resolve) => setImmediate(resolve)),
  )
  turns.set(database, turn)
  return turn
}

/** Takes what so many rows cost from what the caller may call; the first are paid with the call itself. */
export function chargeRows({ charge }: Context, rows: number): void {
  const calls = Math.ceil(rows / ROWS_PER_CALL) - 1
  if (calls > 0) charge?.(calls)
}
