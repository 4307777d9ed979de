/** Another server on a port of loopback, in a directory of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { waitFor } from '../../test/harness/wait.ts'
import type { Program } from './debian.ts'

export type Server = AsyncDisposable & { port: number; pid: number }

/** Starts a program with the words that `toArgs` gives, and resolves once something listens at its port. */
export async function startServer(
  { path, env }: Program,
  toArgs: (place: { port: number; directory: string }) => string[],
): Promise<Server> {
  const directory = await mkdtemp(join(tmpdir(), 'claude-peers-bench-'))
  const port = await freePort()
  const child = spawn(path, toArgs({ port, directory }), { env, cwd: directory, stdio: 'ignore' })
  const failed = once(child, 'error').then(([cause]) => Promise.reject(cause as Error))
  const exited = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`${path} ended with ${code ?? signal}`)
  })
  await Promise.race([waitFor(() => listens(port), path), failed, exited])
  exited.catch(() => undefined)
  return {
    port,
    pid: child.pid!,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await exited.catch(() => undefined)
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
