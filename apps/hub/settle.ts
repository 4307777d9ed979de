/**
 * Gives back what only the start of a hub needed. V8 has made its young generation large for that and keeps it so, and a
 * process that rests never collects: of 90 MB, 10 are rubbish and room for more. From inside a process V8 can be asked by
 * its own `gc` alone, and only for its last resort it also makes the generations small again. That takes 50 ms of processor
 * time: it is done once, in the first second in which the hub does next to nothing.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

export type Settling = {
  /** Looks whether the hub rests; to be called every second until it returns true. */
  tick(): boolean
}

/** The processor time of a second at rest, in ms. */
const REST_MS = 50

/** Watches for that second. `used` is the processor time of the process so far, in ms. */
export function createSettling({ used = usedByProcess, collect = collectAll } = {}): Settling {
  let before: number | undefined
  return {
    tick() {
      const now = used()
      const rests = before !== undefined && now - before < REST_MS
      before = now
      if (rests) collect()
      return rests
    },
  }
}

function usedByProcess(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

type Collect = (options: { type: 'major'; flavor: 'last-resort' }) => void

function collectAll() {
  // A context that is made while the flag is up has the function, and nothing else gets to see it.
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as Collect
  setFlagsFromString('--no-expose-gc')
  collect({ type: 'major', flavor: 'last-resort' })
}
