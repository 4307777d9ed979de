/** Steps that undo what was done, run newest first. Node 22 has no AsyncDisposableStack. */
export type Undo = {
  add(step: () => void | Promise<void>): void
  /** Runs every step, also after one has failed, and once however often it is called. Rejects with the first failure. */
  run(): Promise<void>
}

export function createUndo(): Undo {
  const steps: (() => void | Promise<void>)[] = []
  let running: Promise<void> | undefined

  async function runAll(): Promise<void> {
    const failures: unknown[] = []
    for (const step of steps.toReversed()) {
      try {
        await step()
      } catch (cause) {
        failures.push(cause)
      }
    }
    if (failures.length > 0) throw failures[0]
  }

  return {
    add: (step) => void steps.push(step),
    run: () => (running ??= runAll()),
  }
}
