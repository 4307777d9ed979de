import { execFile } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

/** The client's own command line, and the user for whom it is to act. */
export type Client = { file: string; env: NodeJS.ProcessEnv; home: string }

/** Finds `claude` on the PATH of this environment; it will act for `home` and for the same configuration directory. */
export function findClient(home: string, env: NodeJS.ProcessEnv): Client | undefined {
  // A .cmd shim needs a shell to run: there we edit the file.
  const name = process.platform === 'win32' ? 'claude.exe' : 'claude'
  const file = (env.PATH ?? '')
    .split(delimiter)
    .filter((directory) => directory !== '')
    .map((directory) => join(directory, name))
    .find(isExecutable)
  if (file === undefined) return undefined
  const { CLAUDE_CONFIG_DIR: moved, ...rest } = env
  // The client takes an empty CLAUDE_CONFIG_DIR for the working directory (seen with 2.1.330).
  return { file, home, env: { ...rest, HOME: home, ...(moved && { CLAUDE_CONFIG_DIR: moved }) } }
}

/** Runs the client and answers with the reason if it fails or takes longer than a minute (it takes 0.3 s). */
export async function runClient(
  { file, env }: Client,
  args: string[],
  { timeout = 60_000 }: { timeout?: number } = {},
): Promise<string | undefined> {
  const running = promisify(execFile)(file, args, { env, timeout, killSignal: 'SIGKILL' })
  running.child.stdin?.end()
  try {
    await running
    return undefined
  } catch (error) {
    const { killed, stderr, message } = error as Error & { killed?: boolean; stderr?: string }
    if (killed) return `no answer within ${timeout / 1000} s`
    return stderr?.trim() || message
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}
