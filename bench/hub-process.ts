import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type HubClient } from '../lib/client/connect.ts'
import { readConfig } from '../lib/machine/config.ts'
import { findHub } from '../lib/machine/hub-process.ts'
import { bundlePath } from '../lib/machine/package.ts'
import { waitFor } from '../test/harness/wait.ts'

/** A peer that speaks to the hub through the typed client. */
export type BenchPeer = {
  id: string
  key: string
  hub: HubClient['hub']
  send(to: string, message: string): Promise<void>
}

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
  const clients: HubClient[] = []

  return {
    home,
    url,
    token,
    sessions: config.paths.sessions,
    async join(root: string): Promise<BenchPeer> {
      let key: string | undefined
      const client = connect({ endpoint: () => ({ url, token, key }) })
      clients.push(client)
      const registered = await client.hub.peers.register.mutate({
        machine: { id: 'bench-machine', host: 'bench' },
        directory: root,
        root,
        isRepo: false,
        summary: '',
      })
      key = registered.key
      return {
        id: registered.peer.id,
        key,
        hub: client.hub,
        async send(to, message) {
          await client.hub.messages.send.mutate({ to, message, idempotencyKey: randomUUID() })
        },
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(clients.map((client) => client.close()))
      child.kill('SIGTERM')
      await exited
      await rm(home, { recursive: true, force: true })
    },
  }
}
