/** Network namespaces of Linux, by iproute2. Their names tell whose they are, so that what a killed run left is found. */
import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { promisify } from 'node:util'
import { isSameProcess, readProcess } from '../../lib/machine/processes.ts'
import { kill } from '../e2e/claude/processes.ts'

const run = promisify(execFile)
const PREFIX = 'cp-fleet'
/** Where iproute2 keeps the names. */
const NAMES = '/run/netns'

/** iproute2, wherever this Debian has it. */
const IP = ['/usr/sbin/ip', '/usr/bin/ip', '/sbin/ip'].find((path) => existsSync(path)) ?? 'ip'

/** Runs `ip`; rejects with what it said. */
export async function ip(...args: string[]): Promise<string> {
  return (await run(IP, args)).stdout
}

const TC = IP.replace(/ip$/, 'tc')

/** Has the kernel delay and lose what leaves through a device; false where it cannot (its module netem is missing). */
export async function degrade(
  namespace: string,
  { device, delayMs, lossPercent }: { device: string; delayMs: number; lossPercent: number },
): Promise<boolean> {
  const bad = ['netem', 'delay', `${delayMs}ms`, 'loss', `${lossPercent}%`]
  try {
    await run(TC, ['-n', namespace, 'qdisc', 'add', 'dev', device, 'root', ...bad])
    return true
  } catch (cause) {
    if (!/qdisc kind is unknown/.test((cause as Error).message)) throw cause
    return false
  }
}

/** The words that run a program inside of a namespace. */
export const toEntry = (namespace: string): string[] => [IP, 'netns', 'exec', namespace]

let made = 0
/** A prefix for the namespaces of one network that no other run and no other network of this one has. */
export function toPrefix(): string {
  const { pid } = process
  return `${PREFIX}-${pid}-${startOf(pid)}-${++made}-`
}

/** Throws, with the way out, where namespaces cannot be made. */
export async function requireNamespaces(): Promise<void> {
  const way = 'run them as root on Linux, with iproute2 (apt-get install iproute2)'
  if (process.platform !== 'linux') throw new Error(`The fleet tests make network namespaces: ${way}.`)
  const name = `${toPrefix()}try`
  try {
    await ip('netns', 'add', name)
    await ip('-n', name, 'link', 'add', 'one', 'type', 'veth', 'peer', 'name', 'other')
    await ip('-n', name, 'link', 'add', 'switch', 'type', 'bridge')
  } catch (cause) {
    throw new Error(
      `The fleet tests cannot make their network (${(cause as Error).message.trim()}): ${way}.`,
      {
        cause,
      },
    )
  } finally {
    await removeNamespace(name).catch(() => undefined)
  }
}

/** Removes a namespace, and ends what still runs in it. */
export async function removeNamespace(name: string): Promise<void> {
  const pids = await ip('netns', 'pids', name).catch(() => '')
  for (const pid of pids.split('\n').filter(Boolean)) kill(Number(pid))
  await ip('netns', 'del', name)
}

/** Removes the namespaces of runs whose process has ended, and returns their names. */
export async function sweepNamespaces(): Promise<string[]> {
  const names = existsSync(NAMES) ? readdirSync(NAMES) : []
  const left = names.filter((name) => isLeft(name))
  for (const name of left) await removeNamespace(name)
  return left
}

function isLeft(name: string): boolean {
  const [, pid, start] = new RegExp(`^${PREFIX}-(\\d+)-(\\d+)-\\d+-`).exec(name) ?? []
  if (!pid || !start) return false
  return !isSameProcess(Number(pid), undefined) || startOf(Number(pid)) !== start
}

/** When a process started, in ticks since the boot. */
const startOf = (pid: number) => readProcess(pid)?.start.split('-').at(-1)
