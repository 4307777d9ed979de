import { execFile } from 'node:child_process'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Line } from '../../apps/cli/doctor/line.ts'
import { createHome, type CliRun, type Home } from '../harness/home.ts'
import { addClient } from './install/home.ts'
import { BIN } from './program.ts'

export type Diagnosis = { code: number; lines: Line[] }

/** A user with an installation, and a `claude` and a `claude-peers` on the PATH, so that advice can be followed. */
export type Patient = AsyncDisposable & {
  home: Home
  env: Record<string, string>
  file(name: string): string
  /** Changes the client's settings. */
  editSettings(change: (settings: ClientSettings) => void): Promise<void>
  /** Changes the client's own file, with the MCP servers. */
  editClient(change: (config: ClientConfig) => void): Promise<void>
  doctor(args?: string[], env?: Record<string, string>): Promise<Diagnosis>
  /** What needs mending. */
  fixes(env?: Record<string, string>): Promise<Line[]>
  /** Does what a line says. */
  follow(line: Line, env?: Record<string, string>): Promise<CliRun>
}

export const SETTINGS = '.claude/settings.json'

type Hook = { command: string; timeout?: number }
export type ClientSettings = {
  hooks: Record<string, { matcher?: string; hooks: Hook[] }[]>
  enabledPlugins?: Record<string, boolean>
  env?: Record<string, unknown>
}
export type ClientConfig = {
  mcpServers: Record<string, { type: string; command: string; args: string[]; env: object }>
  projects?: Record<string, unknown>
}

/** The first hook of an event. */
export const hookOf = ({ hooks }: ClientSettings, event: string): Hook => hooks[event]![0]!.hooks[0]!

/** Leads a command to a file that is not there. */
export function breakHook(hook: Hook): void {
  hook.command = hook.command.replaceAll(/'[^']*\/dist\/hook\.cjs'/g, "'/gone/dist/hook.cjs'")
}

async function edit(file: string, change: (value: never) => void): Promise<void> {
  const value = JSON.parse(await readFile(file, 'utf8')) as never
  change(value)
  await writeFile(file, JSON.stringify(value))
}

/** Makes one; nothing of ours runs yet. */
export async function openPatient(): Promise<Patient> {
  const home = await createHome({ install: true })
  const bin = join(home.path, 'bin')
  await mkdir(bin)
  await writeFile(join(bin, 'claude-peers'), `#!/bin/sh\nexec '${process.execPath}' '${BIN}' "$@"\n`)
  await chmod(join(bin, 'claude-peers'), 0o755)
  await addClient({ bin }, toClient(bin))
  await writeFile(join(bin, 'version'), '2.1.330 (Claude Code)\n')
  const env = { PATH: `${bin}:${home.env['PATH']}`, TMPDIR: await home.project('tmp') }
  const file = (name: string) => join(home.path, name)
  const doctor = async (args: string[] = [], more: Record<string, string> = {}) => {
    const { code, stdout, stderr } = await home.cli(['doctor', '--json', ...args], {
      env: { ...env, ...more },
    })
    if (stderr !== '') throw new Error(stderr)
    return { code, lines: JSON.parse(stdout) as Line[] }
  }
  return {
    home,
    env,
    file,
    doctor,
    editSettings: (change) => edit(file(SETTINGS), change),
    editClient: (change) => edit(file('.claude.json'), change),
    async fixes(more) {
      const { code, lines } = await doctor([], more)
      const found = lines.filter((line) => line.state === 'fix')
      if (code !== (found.length > 0 ? 1 : 0)) throw new Error(`exit ${code} with ${found.length} to mend`)
      return found
    },
    follow: ({ run = 'false' }, more = {}) =>
      new Promise((resolve) => {
        const options = { env: { ...home.env, ...env, ...more }, cwd: home.path }
        execFile('/bin/sh', ['-c', run], options, (cause, stdout, stderr) =>
          resolve({ code: cause ? Number(cause.code ?? 1) : 0, stdout, stderr }),
        )
      }),
    [Symbol.asyncDispose]: () => home[Symbol.asyncDispose](),
  }
}

/** A client that tells its version, updates itself, and edits its configuration as the stand-in of the installs does. */
function toClient(bin: string): string {
  const standIn = join(import.meta.dirname, 'install/client.ts')
  return `case "$1" in
  --version) cat '${bin}/version' ;;
  update) echo '2.1.330 (Claude Code)' > '${bin}/version' ;;
  *) exec '${process.execPath}' '${standIn}' '${bin}/log' "$@" ;;
esac`
}
