import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '../lib/machine/config.ts'
import { toNodeArgs } from '../lib/machine/hub-spawn.ts'
import { bundlePath } from '../lib/machine/package.ts'
import { readRendezvous } from '../lib/machine/rendezvous.ts'
import { readToken } from '../lib/machine/token.ts'
import { toCaller } from '../lib/probe/calls.ts'
import { openPeer, type TestPeer } from '../test/harness/peer.ts'
import { waitFor } from '../test/harness/wait.ts'

const MACHINE = { id: 'bench-machine', host: 'bench' }
const MEMORY_PROBE = join(import.meta.dirname, 'fixture/memory-probe.cjs')
const END_WITH_PARENT = join(import.meta.dirname, 'fixture/end-with-parent.cjs')

/** A hub ends within a second or two; one that hangs must not hold the benchmark up for ever. */
const STOP_WAIT_MS = 20_000

export type BenchHub = Awaited<ReturnType<typeof startBenchHub>>

export type BenchHubOptions = {
  /** Its home; one of its own, that goes with it, unless it is given. */
  home?: string
  /** May fill its database first. */
  prepare?: (file: string) => Promise<void>
  /** Words for Node before the script. */
  nodeArgs?: string[]
  /** The bundle unless it is given. */
  script?: string
}

/** Makes the home of a hub. */
export const makeHome = (): Promise<string> => mkdtemp(join(tmpdir(), 'claude-peers-bench-'))

/** Where a hub of a home keeps its mail. */
export const databaseOf = (home: string): string => join(home, '.claude-peers.db')

/** A hub in a process of its own, once it serves. */
export async function startBenchHub(options: BenchHubOptions = {}) {
  const { home = await makeHome(), prepare, nodeArgs = [], script = bundlePath('hub.js') } = options
  await prepare?.(databaseOf(home))
  const env = {
    HOME: home,
    PATH: process.env['PATH']!,
    CLAUDE_PEERS_PORT: '0',
    CLAUDE_PEERS_HOST: 'bench',
    CLAUDE_PEERS_NOTIFY_COMMAND: 'off',
  }
  const config = readConfig(env, home)
  const started = performance.now()
  const child = fork(script, [], {
    env,
    execArgv: [...toNodeArgs(), '--require', END_WITH_PARENT, ...nodeArgs],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const exited = once(child, 'exit')
  const pid = child.pid!
  // It leaves this file once it serves.
  const isThere = () => readRendezvous(config.paths.rendezvous)?.pid === pid
  await waitFor(isThere, 'the hub', 120_000, 1)
  const startedInMs = performance.now() - started
  const { url } = readRendezvous(config.paths.rendezvous)!
  const token = readToken(config.paths.token)!
  const peers: TestPeer[] = []
  return {
    home,
    url,
    token,
    pid,
    /** From the start of its process until it served. */
    startedInMs,
    sessions: config.paths.sessions,
    database: databaseOf(home),
    /** Its memory after a full collection; of a hub that was started with `WITH_MEMORY_PROBE`. */
    memory: () => toCaller(child)<NodeJS.MemoryUsage>('memory'),
    signal: (signal: NodeJS.Signals) => void child.kill(signal),
    async join(root: string): Promise<TestPeer> {
      const peer = await openPeer(() => ({ url, token }), { machine: MACHINE, root })
      peers.push(peer)
      return peer
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(peers.map((peer) => peer[Symbol.asyncDispose]()))
      child.kill('SIGTERM')
      const impatience = setTimeout(() => child.kill('SIGKILL'), STOP_WAIT_MS)
      const [, signal] = await exited
      clearTimeout(impatience)
      if (signal === 'SIGKILL') throw new Error(`the hub did not end within ${STOP_WAIT_MS} ms`)
      if (options.home === undefined) await rm(home, { recursive: true, force: true })
    },
  }
}

/** Has a hub tell of its memory. */
export const WITH_MEMORY_PROBE = { nodeArgs: ['--expose-gc', '--require', MEMORY_PROBE] }
