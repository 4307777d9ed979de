import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** One process: its parent, its name, and when it started (an opaque token that tells a reused pid apart). */
export type Process = { pid: number; parent: number; name: string; start: string }

/** Whether a process with this pid exists. Only ESRCH means no: EPERM comes from a live process of somebody else. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/** Whether the process that had this pid and start still runs; without a start, whether any with this pid does. */
export function isSameProcess(pid: number, start: string | undefined | null): boolean {
  if (!isAlive(pid)) return false
  if (!start) return true
  const found = readProcess(pid)
  return found === undefined || found.start === start
}

/** Looks one process up, or `undefined` when it is gone or hidden. */
export function readProcess(pid: number): Process | undefined {
  return process.platform === 'linux' ? readProc(pid) : listProcesses().get(pid)
}

/** The ancestors of a process, nearest first, up to the first process of the system. */
export function ancestorsOf(pid: number): Process[] {
  const table = process.platform === 'linux' ? undefined : listProcesses()
  const look = (one: number) => (table ? table.get(one) : readProc(one))
  const found: Process[] = []
  for (let next = look(pid)?.parent; next !== undefined && next > 1;) {
    const ancestor = look(next)
    if (!ancestor || found.length > 64) break
    found.push(ancestor)
    next = ancestor.parent
  }
  return found
}

/** proc(5): the name stands in brackets and may hold spaces; field 4 is the parent, field 22 the start in ticks. */
function readProc(pid: number): Process | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const close = stat.lastIndexOf(')')
    const fields = stat.slice(close + 2).split(' ')
    const start = `${bootId()}-${fields[19]}`
    return { pid, parent: Number(fields[1]), name: stat.slice(stat.indexOf('(') + 1, close), start }
  } catch {
    return undefined
  }
}

let boot: string | undefined
/** Ticks count from the boot, so the boot belongs to the token. */
function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8)
  return boot
}

/** One `ps` for the whole table: one per ancestor costs its start each time. */
function listProcesses(): Map<number, Process> {
  const table = new Map<number, Process>()
  const lines = psLines()
  for (const line of lines) {
    const match = /^\s*(\d+)\s+(\d+)\s+(\S+\s+\S+\s+\d+\s+[\d:]+\s+\d+)\s+(.*)$/.exec(line)
    if (!match) continue
    const [, pid, parent, start, command] = match
    table.set(Number(pid), {
      pid: Number(pid),
      parent: Number(parent),
      name: command!.split('/').at(-1)!,
      start: start!.replaceAll(/\s+/g, ' '),
    })
  }
  return table
}

function psLines(): string[] {
  try {
    const options = {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
      maxBuffer: 16 * 1_024 * 1_024,
    } as const
    return execFileSync('ps', ['-A', '-o', 'pid=,ppid=,lstart=,comm='], options).split('\n')
  } catch {
    return []
  }
}
