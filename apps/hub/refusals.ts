/**
 * What the log says of refusals and failures: one line a minute for each source, with how many there were of each kind. It names the
 * address and words of ours, and nothing that the caller sent.
 */
import type { Log } from './log.ts'

/** The timer of a minute is there for the last line of a source that has stopped. */
const WINDOW_MS = 60_000
/** What comes from more sources than this in one minute is counted together. */
const MAX_SOURCES = 1_000
const OTHERS = 'others'

export type Refusals = ReturnType<typeof createRefusals>
type Counted = { until: number; more: Record<string, number> }

/** Makes the record of refusals. `close` says what is left to say. */
export function createRefusals({ log, now = Date.now }: { log: Log; now?: () => number }) {
  const sources = new Map<string, Counted>()
  const timer = setInterval(tell, WINDOW_MS).unref()

  /** Ends the minutes that are over. */
  function tell() {
    for (const [source, { until, more }] of sources) {
      if (until > now()) continue
      sources.delete(source)
      tellMore(source, more)
    }
  }

  function tellMore(source: string, more: Record<string, number>) {
    if (Object.keys(more).length === 0) return
    log.warn({ from: source, refused: more }, 'more of the same was refused')
    // That was the line of the minute that begins now.
    sources.set(source, { until: now() + WINDOW_MS, more: {} })
  }

  /** Counts one more of a source; gives the name to log it under when it is the first of its minute. */
  function count(from: string, status: number): string | undefined {
    tell()
    const source = sources.has(from) || sources.size < MAX_SOURCES ? from : OTHERS
    const counted = sources.get(source)
    if (counted) counted.more[status] = (counted.more[status] ?? 0) + 1
    else sources.set(source, { until: now() + WINDOW_MS, more: {} })
    return counted ? undefined : source
  }

  return {
    note(from: string, status: number, reason: string) {
      const source = count(from, status)
      if (source !== undefined) log.warn({ status, from: source }, reason)
    },
    /** The same for what the hub failed at: the first of each source and kind of work with its error. */
    fail(from: string, what: string, { err, path }: { err: unknown; path?: string | undefined }) {
      const source = count(`${from}: ${path ?? what}`, 500)
      if (source !== undefined) log.error({ err, from, path }, what)
    },
    tell,
    close() {
      clearInterval(timer)
      for (const [source, { more }] of sources) tellMore(source, more)
      sources.clear()
    },
  }
}
