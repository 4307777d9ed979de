/** How many requests a machine may make: a second, and at once after a rest. */
const RATE = 200
const BURST = 1_000
/** The most that somebody owes. */
const MOST_OWED = 30 * RATE
/** Full buckets are thrown away when there are more than this. */
const MAX_BUCKETS = 1_000

export type Buckets = ReturnType<typeof createBuckets>

/** Token buckets, one for each name. */
export function createBuckets({ now = Date.now }: { now?: () => number } = {}) {
  const buckets = new Map<string, { left: number; at: number }>()

  function fill(name: string) {
    const before = buckets.get(name) ?? { left: BURST, at: now() }
    const left = Math.min(BURST, before.left + (Math.max(0, now() - before.at) * RATE) / 1_000)
    return { left, at: now() }
  }

  return {
    /** Takes `cost` requests, if they are there; else tells in how many whole seconds they will be, and takes none. */
    take(name: string, cost = 1): number {
      const bucket = fill(name)
      const missing = cost - bucket.left
      buckets.set(name, missing > 0 ? bucket : { ...bucket, left: -missing })
      if (buckets.size > MAX_BUCKETS) {
        for (const key of buckets.keys()) if (fill(key).left === BURST) buckets.delete(key)
      }
      return missing > 0 ? Math.ceil(missing / RATE) : 0
    },
    /** Takes `cost` requests, whether they are there or not: what comes next waits the longer, half a minute at most. */
    charge(name: string, cost: number): void {
      const { left, at } = fill(name)
      buckets.set(name, { left: Math.max(left - cost, -MOST_OWED), at })
    },
    size: () => buckets.size,
  }
}
