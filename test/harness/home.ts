import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { installInto } from '../../apps/cli/install/install.ts'
import { isAlive } from '../../lib/machine/processes.ts'
import type { Rendezvous } from '../../lib/machine/rendezvous.ts'
import { kill, killProcessesOf, processesOf } from '../e2e/claude/processes.ts'
import { findPort } from './port.ts'
import { waitFor } from './wait.ts'

const root = join(import.meta.dirname, '../..')
/** The program that a person types. */
export const CLI = join(root, 'bin/claude-peers.cjs')
const run = promisify(execFile)

export type RunOptions = { input?: string; env?: Record<string, string> }
export type CliRun = { stdout: string; stderr: string; code: number }

/**
 * A user's home of its own, with a hub on a port of its own. Disposing it stops the hub, removes everything, and fails
 * when another process of this user is left.
 */
export type Home = AsyncDisposable & {
  path: string
  /** An environment made from scratch, for every process of this user. */
  env: Record<string, string>
  /** The words before every program of this user, such as those that enter a network of its own; mostly none. */
  enter: string[]
  /** Makes a directory below the home; with `git`, a repository on branch main. */
  project(name: string, options?: { git?: boolean }): Promise<string>
  cli(args: string[], options?: RunOptions): Promise<CliRun>
  /** Runs another program of this user. */
  run(words: string[], options?: RunOptions): Promise<CliRun>
  /** What the running hub left about itself. */
  rendezvous(): Promise<Rendezvous>
  token(): Promise<string>
  /** Stops the hub, if one runs, and waits until its process is gone. */
  stopHub(signal?: NodeJS.Signals): Promise<void>
}

/** Makes a home; `host` is the label of its machine, `install` configures claude-peers for its Claude Code. */
export async function createHome({
  host = 'laptop',
  install = false,
  enter = [],
}: { host?: string; install?: boolean; enter?: string[] } = {}): Promise<Home> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'claude-peers-')))
  const env = {
    HOME: path,
    PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
    // As in real life, one port over every restart of the hub.
    CLAUDE_PEERS_PORT: String(await findPort()),
    CLAUDE_PEERS_HOST: host,
    // Whoever runs the tests has a desktop, and it is not for them.
    CLAUDE_PEERS_NOTIFY_COMMAND: 'off',
    TMPDIR: tmpdir(),
  }
  const rendezvous = async () =>
    JSON.parse(await readFile(join(path, '.claude-peers/hub.json'), 'utf8')) as Rendezvous
  async function stopHub(signal: NodeJS.Signals = 'SIGTERM') {
    const pid = await rendezvous().then(
      (left) => left.pid,
      () => undefined,
    )
    if (pid === undefined || !isAlive(pid)) return
    kill(pid, signal)
    await waitFor(() => !isAlive(pid), 'the hub to be gone')
  }
  const home: Home = {
    path,
    env,
    enter,
    async project(name, { git = false } = {}) {
      const directory = join(path, name)
      await mkdir(directory, { recursive: true })
      if (git) await run('git', ['init', '--quiet', '--initial-branch=main', directory], { env })
      return directory
    },
    cli: (args, options) => home.run([process.execPath, CLI, ...args], options),
    run: (words, options = {}) =>
      runProgram([...enter, ...words], { env: { ...env, ...options.env }, input: options.input }),
    rendezvous,
    token: async () => (await readFile(join(path, '.claude-peers/token'), 'utf8')).trim(),
    stopHub,
    async [Symbol.asyncDispose]() {
      const left = await survivors(path, stopHub)
      await rm(path, { recursive: true, force: true, maxRetries: 5 })
      if (left.length > 0) throw new Error(`left running: ${left.join('; ')}`)
    },
  }
  if (install) {
    await installInto({ home: path, env, node: process.execPath, root, print: false })
  }
  return home
}

/**
 * The command lines of the processes with this home that do not end when the hub is stopped; they are ended. Two clients
 * may have started one each: the second serves only when the first is gone.
 */
async function survivors(path: string, stopHub: () => Promise<void>): Promise<string[]> {
  const isEmpty = async () => {
    await stopHub()
    return (await processesOf(path)).length === 0
  }
  const gone = waitFor(isEmpty, 'processes to end', 15_000)
  if (await gone.catch(() => false)) return []
  const commands = (await processesOf(path)).map((pid) =>
    readFile(`/proc/${pid}/cmdline`, 'utf8').then((line) => `${pid} ${line.replaceAll('\0', ' ')}`),
  )
  const left = await Promise.allSettled(commands)
  await killProcessesOf(path)
  return left.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
}

function runProgram(
  [program, ...args]: string[],
  { env, input }: { env: Record<string, string>; input: string | undefined },
): Promise<CliRun> {
  return new Promise((resolve) => {
    const child = execFile(
      program!,
      args,
      { env, cwd: env['HOME'], timeout: 60_000, maxBuffer: 64 * 1_024 * 1_024 },
      (cause, stdout, stderr) => resolve({ stdout, stderr, code: cause ? Number(cause.code ?? 1) : 0 }),
    )
    child.stdin!.on('error', () => undefined)
    child.stdin!.end(input ?? '')
  })
}

/** What makes `fork` start Node behind the words that enter a network. */
export function toFork([entry, ...words]: string[]): { execPath?: string; execArgv?: string[] } {
  return entry === undefined ? {} : { execPath: entry, execArgv: [...words, process.execPath] }
}

/** Resolves when another hub than that of the pid serves a home. */
export async function anotherHub(home: Home, pid: number): Promise<void> {
  const isOther = () =>
    home.rendezvous().then(
      (left) => left.pid !== pid,
      () => false,
    )
  await waitFor(isOther, 'another hub')
}
