import { newKey } from '#client/key'
import { judge } from '#client/verdict'

/** How long a call whose outcome is unknown is remembered: whoever says the same later means it anew. */
const REMEMBERED_MS = 10 * 60_000
const MOST = 100

/**
 * Keys for calls that may be made again by hand. A call that failed without the hub's word on it may have been carried
 * out all the same: the very same call gets its key again, and the hub knows it.
 */
export function createUnsettled(now: () => number = () => performance.now()) {
  const calls = new Map<string, { key: string; until: number }>()

  return async function settle<Result>(
    call: object,
    work: (key: string) => Promise<Result>,
  ): Promise<Result> {
    const text = JSON.stringify(call)
    const found = calls.get(text)
    const key = found && found.until > now() ? found.key : newKey()
    try {
      const result = await work(key)
      calls.delete(text)
      return result
    } catch (cause) {
      calls.delete(text)
      if (judge(cause) !== 'away') throw cause
      calls.set(text, { key, until: now() + REMEMBERED_MS })
      if (calls.size > MOST) calls.delete(calls.keys().next().value!)
      throw new Error(
        `${(cause as Error).message} It is not known whether the message is stored: send the very same again, and it is stored once.`,
        { cause },
      )
    }
  }
}
