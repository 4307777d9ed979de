import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '../lib/machine/config.ts'
import { findHub } from '../lib/machine/hub-process.ts'
import { bundlePath } from '../lib/machine/package.ts'
import { openPeer, type TestPeer } from '../test/harness/peer.ts'
import { waitFor } from '../test/harness/wait.ts'

const MACHINE = { id: 'bench-machine', host: 'bench' }

/** A hub in a process and home of its own; `prepare` may fill its database first. */
export async function startBenchHub({ prepare }: { prepare?: (file: string) => Promise<void> } = {}) {
  const home = await mkdtemp(join(tmpdir(), 'claude-peers-bench-'))
  await prepare?.(join(home, '.claude-peers.db'))
  const env = {
    HOME: home,
    PATH: process.env['PATH']!,
    CLAUDE_PEERS_PORT: '0',
    CLAUDE_PEERS_HOST: 'bench',
    CLAUDE_PEERS_NOTIFY_COMMAND: 'off',
  }
  const child = spawn(process.execPath, [bundlePath('hub.js')], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const exited = once(child, 'exit')
  const config = readConfig(env)
  const { url, token } = await waitFor(() => findHub(config), 'the hub', 60_000)
  const peers: TestPeer[] = []

  return {
    home,
    url,
    token,
    sessions: config.paths.sessions,
    async join(root: string): Promise<TestPeer> {
      const peer = await openPeer(() => ({ url, token }), { machine: MACHINE, root })
      peers.push(peer)
      return peer
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(peers.map((peer) => peer[Symbol.asyncDispose]()))
      child.kill('SIGTERM')
      await exited
      await rm(home, { recursive: true, force: true })
    },
  }
}
