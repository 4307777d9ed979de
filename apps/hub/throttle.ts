/** Slows the guessing of tokens down: whoever sent ten wrong ones has to wait until the minute is over. */

/** The first of them begins the minute. */
export const MAX_WRONG = 10
const WINDOW_MS = 60_000
/** Of more sources than this, the oldest are forgotten: a flood of addresses must not fill the memory. */
const MAX_SOURCES = 10_000

export type Throttle = ReturnType<typeof createThrottle>

/** Counts wrong tokens by source. */
export function createThrottle({ now = Date.now }: { now?: () => number } = {}) {
  const wrong = new Map<string, { since: number; count: number }>()
  const trusted = new Map<string, true>()

  function current(source: string) {
    const counted = wrong.get(source)
    if (!counted || counted.since + WINDOW_MS > now()) return counted
    wrong.delete(source)
    return undefined
  }

  return {
    /** How long nothing is heard from this source, in whole seconds; 0 when it is not shut out. */
    waitOf(source: string): number {
      const counted = current(source)
      if (!counted || counted.count < MAX_WRONG) return 0
      return Math.ceil((counted.since + WINDOW_MS - now()) / 1_000)
    },
    noteWrong(source: string) {
      const counted = current(source)
      if (counted) counted.count++
      else keep(wrong, source, { since: now(), count: 1 })
    },
    noteRight: (source: string) => keep(trusted, source, true),
    /** Whether a right token came from there before. */
    isTrusted: (source: string) => trusted.has(source),
    sources: () => wrong.size + trusted.size,
  }
}

/** Whoever was heard of last is forgotten last. */
function keep<Value>(map: Map<string, Value>, key: string, value: Value) {
  map.delete(key)
  map.set(key, value)
  if (map.size > MAX_SOURCES) map.delete(map.keys().next().value!)
}
