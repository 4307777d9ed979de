import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * The processes whose environment says `HOME=<home>`: a client and all that it started, also what left its process
 * group or lost its parent. A temporary home names its processes beyond doubt. Linux only; empty elsewhere.
 */
export async function processesOf(home: string): Promise<number[]> {
  if (process.platform !== 'linux') return []
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const owned = await Promise.all(pids.map((pid) => hasHome(pid, home)))
  return pids.filter((_, index) => owned[index]).map(Number)
}

/** The processes of the home whose command line holds the text, such as the name of a program. */
export async function programsOf(home: string, name: string): Promise<number[]> {
  const pids = await processesOf(home)
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return pids.filter((_, index) => lines[index]!.includes(name))
}

/** Kills the processes of the home until none is left; throws after 5 seconds. */
export async function killProcessesOf(home: string): Promise<void> {
  await waitUntil(
    async () => {
      const pids = await processesOf(home)
      for (const pid of pids) kill(pid)
      return pids.length === 0
    },
    { timeoutMs: 5_000, failure: () => `processes with HOME=${home} outlive SIGKILL` },
  )
}

/**
 * Starts a shell that kills the processes of the home and removes it when this process dies without calling the
 * answered function: an interrupted vitest ends its workers before anything can be disposed.
 */
export function guardHome(home: string): () => void {
  const guard = spawn('/bin/sh', ['-c', GUARD, 'guard', home], {
    // Out of our process group, so that the terminal's Ctrl-C does not end it first.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { PATH: process.env.PATH },
  })
  guard.unref()
  return () => void guard.kill('SIGKILL')
}

/** Sends `signal` to a process, or with a negative number to its group; one that is gone already is no error. */
export function kill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Answers whether the process runs; one that only waits for its parent to notice its end does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return process.platform !== 'linux' || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code !== 'ESRCH' && code !== 'ENOENT'
  }
}

/** Asks every 30 ms until the condition holds; throws `failure()` after `timeoutMs`, or when `signal` aborts. */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  options: { timeoutMs: number; failure: () => string | Promise<string>; signal?: AbortSignal | undefined },
): Promise<void> {
  const deadline = performance.now() + options.timeoutMs
  while (!(await condition())) {
    options.signal?.throwIfAborted()
    if (performance.now() > deadline) throw new Error(await options.failure())
    await delay(30)
  }
}

/** Its stdin ends with the process that holds the other end of the pipe, however that one dies. */
const GUARD = `read -r _
for round in 1 2 3; do
  grep -lzxF "HOME=$1" /proc/[0-9]*/environ | while IFS=/ read -r _ _ pid _; do kill -9 "$pid"; done
done
rm -rf "$1"`

async function hasHome(pid: string, home: string): Promise<boolean> {
  const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
  return environment.split('\0').includes(`HOME=${home}`)
}
