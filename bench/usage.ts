/** What a process uses, as Linux tells it; of other systems nothing is known here. */
import { readdirSync, readFileSync } from 'node:fs'
import { waitFor } from '../test/harness/wait.ts'

/** The processor time of a process so far, with all its threads, in ms. */
export function cpuOf(pid: number): number {
  const tasks = `/proc/${pid}/task`
  const times = readdirSync(tasks).map((task) => Number(read(`${tasks}/${task}/schedstat`).split(' ')[0]))
  return times.reduce((sum, nanoseconds) => sum + nanoseconds, 0) / 1e6
}

/** How often a process has gone to sleep so far, and so was woken, with all its threads. */
export function wakeUpsOf(pid: number): number {
  const tasks = `/proc/${pid}/task`
  const counts = readdirSync(tasks).map((task) =>
    Number(/^voluntary_ctxt_switches:\s*(\d+)$/m.exec(read(`${tasks}/${task}/status`))?.[1]),
  )
  return counts.reduce((sum, count) => sum + count, 0)
}

/** The memory that a process holds now, in MB (10⁶ bytes). */
export const residentOf = (pid: number): number => memoryLine(read(`/proc/${pid}/status`), 'VmRSS')

/**
 * The memory that a process holds at rest, in MB: once it changed by less than a hundredth in each of five seconds. A hub
 * tidies up in the first one.
 */
export async function restingMemory(pid: number): Promise<number> {
  let before = 0
  let steady = 0
  const isAtRest = () => {
    const now = residentOf(pid)
    steady = Math.abs(now - before) < now / 100 ? steady + 1 : 0
    before = now
    return steady >= 5
  }
  await waitFor(isAtRest, 'the memory to stay as it is', 60_000, 1_000)
  return before
}

/** The most memory that it ever held, in MB. */
export const peakOf = (pid: number): number => memoryLine(read(`/proc/${pid}/status`), 'VmHWM')

/** How many file descriptors it has open. */
export const descriptorsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length

/** A line of a status file, in MB. Throws when there is none. */
export function memoryLine(status: string, name: 'VmRSS' | 'VmHWM'): number {
  const kib = new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm').exec(status)?.[1]
  if (kib === undefined) throw new Error(`the status of the process has no ${name}`)
  return (Number(kib) * 1_024) / 1e6
}

const read = (path: string) => readFileSync(path, 'utf8')
