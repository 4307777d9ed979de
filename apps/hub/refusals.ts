/**
 * What the log says of refusals: one line a minute for each source, with how many there were of each kind. It names the
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

  return {
    note(from: string, status: number, reason: string) {
      tell()
      const source = sources.has(from) || sources.size < MAX_SOURCES ? from : OTHERS
      const counted = sources.get(source)
      if (counted) {
        counted.more[status] = (counted.more[status] ?? 0) + 1
        return
      }
      sources.set(source, { until: now() + WINDOW_MS, more: {} })
      log.warn({ status, from: source }, reason)
    },
    tell,
    close() {
      clearInterval(timer)
      for (const [source, { more }] of sources) tellMore(source, more)
      sources.clear()
    },
  }
}
