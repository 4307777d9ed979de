import { closeSync, openSync, readFileSync, readlinkSync } from 'node:fs'

/**
 * One process: its parent, its name, when it started (an opaque token that tells a reused pid apart), and whether it
 * has ended and only its number is left.
 */
export type Process = { pid: number; parent: number; name: string; start: string; ended: boolean }

/**
 * Which process it is, among all that one machine ever runs: its number, its start as `readProcess` reads it, and the
 * pid namespace in which it has that number. A container that shares the home has one of its own, and its numbers mean
 * other processes. Absent is what the system does not tell.
 */
export type ProcessIdentity = {
  pid: number
  start?: string | undefined
  namespace?: string | undefined
}

/** The identity of this process. */
export const ownIdentity = (): ProcessIdentity => readIdentity(process.pid)

/** The identity of a process that this one sees under the given number. */
export const readIdentity = (pid: number): ProcessIdentity => ({
  pid,
  start: readProcess(pid)?.start,
  namespace: ownNamespace(),
})

/** The identity within a record that says more, such as what a hub says of itself. */
export const toIdentity = ({ pid, start, namespace }: ProcessIdentity): ProcessIdentity => ({
  pid,
  start,
  namespace,
})

/** Whether two identities name one process. */
export const isIdentical = (one: ProcessIdentity | undefined, other: ProcessIdentity | undefined): boolean =>
  one?.pid === other?.pid && one?.start === other?.start && one?.namespace === other?.namespace

/** Whether this process can see another one, and so may say whether it runs, or send it a signal. */
export function canSee({ namespace }: Pick<ProcessIdentity, 'namespace'>): boolean {
  return namespace === ownNamespace()
}

/** Whether a process is known to run. False also for one that cannot be seen from here. */
export function isKnownToRun(identity: ProcessIdentity): boolean {
  return canSee(identity) && isSameProcess(identity.pid, identity.start)
}

/** Whether a process is known to have ended. False also for one that cannot be seen from here. */
export function isKnownToHaveEnded(identity: ProcessIdentity): boolean {
  return canSee(identity) && !isSameProcess(identity.pid, identity.start)
}

/** A process in the name of a file: its number and, where there is one, its namespace. */
export function toLabel(pid: number, namespace: string | undefined = ownNamespace()): string {
  return namespace === undefined ? String(pid) : `${pid}-${namespace}`
}

let known: { namespace: string | undefined } | undefined
/**
 * The pid namespace of this process, as a number; `undefined` where there are none (not Linux, or Linux before 5.14).
 * It is the inode of `/proc/self/ns/pid`, read where a shell can read it with its builtins alone (`NAMESPACE_SCRIPT`).
 * The start of pid 1 would not do: two containers that start within 10 ms have the same, and it is hidden from some.
 */
export function ownNamespace(): string | undefined {
  known ??= { namespace: process.platform === 'linux' ? readNamespace() : undefined }
  return known.namespace
}

/** POSIX shell that sets `n` to the same, without a start of a process: 0.02 ms. */
export const NAMESPACE_SCRIPT =
  'n=; { read -r _; read -r _; read -r _; read -r _ n; } 2>/dev/null 3</proc/self/ns/pid </proc/self/fdinfo/3'

function readNamespace(): string | undefined {
  try {
    const fd = openSync('/proc/self/ns/pid', 'r')
    try {
      return /^ino:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]
    } finally {
      closeSync(fd)
    }
  } catch {
    return undefined
  }
}

/**
 * Whether a process with this pid runs. ESRCH means no; EPERM comes from a live process of somebody else. One that has
 * ended and whose parent does not ask for its exit code (the first process of many containers never does) is not alive.
 */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code !== 'ESRCH'
  }
  return process.platform !== 'linux' || !readProc(pid)?.ended
}

/**
 * Whether the process that had this pid and start still runs; without a start, whether any with this pid does. One that
 * has ended and whose parent has not asked for it yet does not run: in a container nobody may ever ask.
 */
export function isSameProcess(pid: number, start: string | undefined | null): boolean {
  const isLinux = process.platform === 'linux'
  if (!isLinux && !isAlive(pid)) return false
  const found = readProcess(pid)
  if (found) return !found.ended && (!start || found.start === start)
  // Hidden from us, or gone.
  return !isLinux || isAlive(pid)
}

/** Looks one process up, or `undefined` when it is gone or hidden. */
export function readProcess(pid: number): Process | undefined {
  return process.platform === 'linux' ? readProc(pid) : listProcesses().get(pid)
}

/** The words that started a process; none when it is gone or hidden. Where there is no /proc, a word with a blank is several. */
export function readWords(pid: number): string[] {
  try {
    if (process.platform === 'linux')
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean)
    const { execFileSync } = process.getBuiltinModule('node:child_process')
    return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' })
      .trim()
      .split(/\s+/)
  } catch {
    return []
  }
}

/**
 * The ancestors of this process, nearest first, up to the first process of the system, which in a container may be the
 * client; each is looked up when asked for.
 */
export function* ownAncestors(): Generator<Process> {
  const table = process.platform === 'linux' ? undefined : listProcesses()
  let next = process.ppid
  for (let count = 0; next > 0 && count < MOST_ANCESTORS; count++) {
    const ancestor = table ? table.get(next) : readProc(next)
    if (!ancestor) return
    yield ancestor
    next = ancestor.parent
  }
}

const MOST_ANCESTORS = 64

let own: boolean | undefined
/** Whether /proc shows the processes of this namespace: without a mount of its own, a container sees those of its host. */
function isOwnProc(): boolean {
  try {
    own ??= readlinkSync('/proc/self') === String(process.pid)
  } catch {
    own = false
  }
  return own
}

/** proc(5): the name stands in brackets and may hold spaces; then state, parent, …, field 22: the start in ticks. */
function readProc(pid: number): Process | undefined {
  if (!isOwnProc()) return undefined
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const close = stat.lastIndexOf(')')
    const fields = stat.slice(close + 2).split(' ')
    return {
      pid,
      parent: Number(fields[1]),
      name: stat.slice(stat.indexOf('(') + 1, close),
      start: `${bootId()}-${fields[19]}`,
      ended: fields[0] === 'Z' || fields[0] === 'X',
    }
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

let listed: { table: Map<number, Process>; until: number } | undefined
/** One `ps` for the whole table, and for everybody who asks within a second: the hub asks for each peer that is away. */
function listProcesses(): Map<number, Process> {
  if (!listed || performance.now() > listed.until) {
    listed = { table: readPs(), until: performance.now() + 1_000 }
  }
  return listed.table
}

function readPs(): Map<number, Process> {
  const table = new Map<number, Process>()
  for (const line of psLines()) {
    const match = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(\S+\s+\S+\s+\d+\s+[\d:]+\s+\d+)\s+(.*)$/.exec(line)
    if (!match) continue
    const [, pid, parent, state, start, command] = match
    table.set(Number(pid), {
      pid: Number(pid),
      parent: Number(parent),
      name: command!.split('/').at(-1)!,
      start: start!.replaceAll(/\s+/g, ' '),
      ended: state!.startsWith('Z'),
    })
  }
  return table
}

function psLines(): string[] {
  try {
    const options = {
      encoding: 'utf8',
      // It writes the start in the time zone that it is given, and every process has to read the same.
      env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
      maxBuffer: 16 * 1_024 * 1_024,
    } as const
    // Loaded only where there is no /proc: it costs a hook a millisecond.
    const { execFileSync } = process.getBuiltinModule('node:child_process')
    return execFileSync('ps', ['-A', '-o', 'pid=,ppid=,state=,lstart=,comm='], options).split('\n')
  } catch {
    return []
  }
}
