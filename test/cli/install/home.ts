import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { installInto, type InstallOptions } from '../../../apps/cli/install/install.ts'
import { uninstallFrom } from '../../../apps/cli/install/uninstall.ts'

/** The checkout that a test installs from. */
export const root = '/opt/claude-peers'

/** A user's home in a temporary directory, with a PATH of its own; gone at the end of the test. */
export async function openHome() {
  const base = await mkdtemp(join(tmpdir(), 'claude-peers-install-'))
  const home = join(base, 'home')
  const bin = join(base, 'bin')
  await mkdir(home)
  await mkdir(bin)
  const options: InstallOptions = { home, env: { PATH: bin }, node: '/usr/bin/node', root, print: false }
  const path = (name: string) => join(home, name)
  return {
    base,
    home,
    bin,
    options,
    path,
    install: (changes: Partial<InstallOptions> = {}) => installInto({ ...options, ...changes }),
    uninstall: (changes: Partial<InstallOptions> = {}) => uninstallFrom({ ...options, ...changes }),
    read: (name: string) => readFile(path(name), 'utf8'),
    json: async (name: string) => JSON.parse(await readFile(path(name), 'utf8')),
    mode: async (name: string) => (await stat(path(name))).mode & 0o777,
    async write(name: string, content: unknown) {
      await mkdir(dirname(path(name)), { recursive: true })
      await writeFile(
        path(name),
        typeof content === 'string' ? content : `${JSON.stringify(content, undefined, 2)}\n`,
      )
    },
    /** Every file under the home with its content: equal snapshots are an untouched home. */
    async snapshot() {
      const entries = await readdir(home, { recursive: true, withFileTypes: true })
      const files = entries
        .filter((entry) => !entry.isDirectory())
        .map((entry) => join(entry.parentPath, entry.name))
      const pairs = files
        .toSorted()
        .map(async (file) => [file.slice(home.length + 1), await readFile(file, 'latin1')])
      return Object.fromEntries(await Promise.all(pairs)) as Record<string, string>
    },
    [Symbol.asyncDispose]: () => rm(base, { recursive: true, force: true }),
  }
}

/** A `claude` on the PATH of a home that edits the user configuration as the real one does and logs its calls. */
export async function addClient({ bin }: { bin: string }, body?: string) {
  const log = join(bin, 'log.jsonl')
  const script = join(import.meta.dirname, 'client.ts')
  const run = body ?? `exec '${process.execPath}' '${script}' '${log}' "$@"`
  await writeFile(join(bin, 'claude'), `#!/bin/sh\n${run}\n`)
  await chmod(join(bin, 'claude'), 0o755)
  return async () => {
    const lines = await readFile(log, 'utf8').catch(() => '')
    return lines
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { args: string[]; moved?: string; home: string })
  }
}

/** The predecessor's hook, as its README says to write it. */
export const predecessorHook = {
  type: 'command',
  command: '/path/to/bun /Users/you/claude-peers-mcp/hooks/deliver.ts',
  timeout: 10,
}

/** The predecessor's whole `hooks` block. */
export const predecessorHooks = {
  PostToolUse: [{ matcher: '*', hooks: [predecessorHook] }],
  Stop: [{ hooks: [predecessorHook] }],
  UserPromptSubmit: [{ hooks: [predecessorHook] }],
  SessionStart: [{ hooks: [predecessorHook] }],
}

/** The predecessor's registration. */
export const predecessorServer = {
  type: 'stdio',
  command: 'bun',
  args: ['/Users/you/claude-peers-mcp/server.ts'],
  env: {},
}

/** The variables in our registration: empty, they count as not set. */
export const EMPTY = { NODE_OPTIONS: '', NODE_CHANNEL_FD: '', NODE_V8_COVERAGE: '', NODE_DEBUG: '' }
