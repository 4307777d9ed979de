import { sessionFile } from './cards.ts'
import { readIfThere } from './files.ts'
import { isAlive, readWords } from './processes.ts'

/** Whether a waiter stands for a session. The number in its seat may be another process's by now, or missing after a kill. */
export function hasWaiter(sessions: string, pid: number): boolean {
  const waiter = Number(readIfThere(sessionFile(sessions, pid, 'waiter')))
  return waiter > 0 && isAlive(waiter) && readWords(waiter).some((word) => /\bwaiter\.(sh|cjs)$/.test(word))
}
