import { setTimeout as pause } from 'node:timers/promises'

/** Waits until a condition holds, looking every `everyMs`, and fails with what was waited for after `timeoutMs`. */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  what: string,
  timeoutMs = 10_000,
  everyMs = 10,
): Promise<NonNullable<T>> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const value = await condition()
    if (value) return value
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`)
    await pause(everyMs)
  }
}

/** How calls that were made together end, in their order: the error of each, or `undefined`. None is left unheard. */
export async function refusals(calls: Promise<unknown>[]): Promise<unknown[]> {
  const settled = await Promise.allSettled(calls)
  return settled.map((one) => (one.status === 'rejected' ? (one.reason as unknown) : undefined))
}
