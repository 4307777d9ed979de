import { setTimeout as sleep } from 'node:timers/promises'

/** How long a tool may take while its hub is on another machine, in ms: it answers within 2 s, also on a busy machine. */
export const TOOL_DEADLINE_MS = 1_500

/** A moment after which nobody is waited for any more. */
export type Deadline = {
  /** What a promise settled with, or `undefined` when the moment comes first; it goes on then, and nobody hears of it. */
  within<T>(promise: Promise<T>): Promise<{ value: T } | undefined>
}

/** How to wait; injected in tests. */
export type Wait = (ms: number) => Promise<unknown>

const waitQuietly: Wait = (ms) => sleep(ms, undefined, { ref: false })

/** Starts a deadline now. */
export function startDeadline(ms: number = TOOL_DEADLINE_MS, wait: Wait = waitQuietly): Deadline {
  const over = wait(ms).then(() => undefined)
  return {
    within(promise) {
      // It may fail when nobody waits any more.
      promise.catch(() => undefined)
      return Promise.race([promise.then((value) => ({ value })), over])
    },
  }
}
