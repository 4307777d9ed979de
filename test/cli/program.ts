import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Home } from '../harness/home.ts'
import { waitFor } from '../harness/wait.ts'

/** A command that runs on: what it prints as it comes, and how it ends. */
export type Program = AsyncDisposable & {
  pid: number
  stdout(): string
  stderr(): string
  /** Resolves with the first match in what it printed. */
  prints(pattern: RegExp): Promise<RegExpExecArray>
  /** Closes the reading end of its output. */
  closeOutput(): void
  /** Sends a signal, if one is given, and resolves with the exit code or the signal that ended it. */
  end(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals>
}

/** The command as npm installs it. */
export const BIN = join(import.meta.dirname, '../../bin/claude-peers.cjs')

/** Starts a command of the home's user. */
export function startProgram(home: Home, args: string[], { env = {} }: { env?: object } = {}): Program {
  const child = spawn(process.execPath, [BIN, ...args], {
    env: { ...home.env, ...env },
    cwd: home.path,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals)
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const end = (signal?: NodeJS.Signals) => {
    if (signal) child.kill(signal)
    return exited
  }
  return {
    pid: child.pid!,
    stdout: () => stdout,
    stderr: () => stderr,
    prints: (pattern) =>
      waitFor(() => pattern.exec(stdout), `${String(pattern)} in ${JSON.stringify(stdout)}`),
    closeOutput: () => void child.stdout.destroy(),
    end,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) await end('SIGKILL')
    },
  }
}
