import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { clientEnvironment, type Home } from './home.ts'
import { kill } from './processes.ts'

/** Which client to run, as whom, where and against which model; `env` is laid over the environment from scratch. */
export type ClientOptions = {
  binary: string
  home: Home
  modelUrl: string
  cwd: string
  env?: Record<string, string>
  args?: string[]
  timeoutMs?: number
  signal?: AbortSignal
}

/** How a headless run ended; `exitCode` is null when a signal ended it. */
export type HeadlessResult = { stdout: string; stderr: string; exitCode: number | null }

/** Runs `claude -p` to its end; at the timeout (60,000 ms) or an abort its process group is killed and it throws. */
export async function runHeadless(options: ClientOptions & { prompt: string }): Promise<HeadlessResult> {
  const { binary, cwd, prompt, args = [], timeoutMs = 60_000, signal } = options
  signal?.throwIfAborted()
  const child = spawn(binary, ['-p', prompt, '--dangerously-skip-permissions', ...args], {
    cwd,
    env: { ...clientEnvironment(options), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))

  const deadline = AbortSignal.timeout(timeoutMs)
  const ended = signal ? AbortSignal.any([signal, deadline]) : deadline
  let killed: string | undefined
  const end = () => {
    killed = `${child.exitCode === null ? 'was killed' : OUTPUT_KEPT} (${String(ended.reason)})`
    if (child.pid !== undefined) kill(-child.pid)
    child.stdout.destroy()
    child.stderr.destroy()
  }
  ended.addEventListener('abort', end, { once: true })
  try {
    await once(child, 'close')
  } finally {
    ended.removeEventListener('abort', end)
  }
  if (killed) throw new Error(`claude -p ${killed}\n${output.stdout}\n${output.stderr}`)
  return { ...output, exitCode: child.exitCode }
}

/**
 * Has a headless client wait for its MCP servers, at most 30 s. By itself 2.1.197 does not, and a call of its first request
 * may answer "No such tool available".
 */
export const AWAIT_TOOLS = { MCP_CONNECTION_NONBLOCKING: '0', MCP_CONNECT_TIMEOUT_MS: '30000' }

const OUTPUT_KEPT = 'had ended, but a process that it started kept its stdout or stderr open'
