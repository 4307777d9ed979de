import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createHome, type CliRun, type Home } from '../harness/home.ts'
import { preloadInto } from '../harness/preload.ts'
import type { NetworkHost } from './network.ts'

/** The port of every hub: each computer has its own. */
export const PORT = 7899

/** What stands in `~/.claude-peers.json`. */
export type Settings = Partial<
  Record<'bind' | 'broker_url' | 'token' | 'host' | 'notify_command', string> & { hosts: string[] }
>

/** A user on one computer of a network, with claude-peers in their Claude Code. */
export type Machine = Home & {
  address: string
  /** Where its hub is, seen from another computer. */
  url: string
  /** Runs a line as the user pastes it into a shell, where `claude-peers` is found. */
  shell(line: string): Promise<CliRun>
  /** Writes the settings file anew. */
  configure(settings: Settings): Promise<void>
}

/** Makes the user's home; every process of theirs runs on that computer. Disposing it fails when one is left. */
export async function openMachine(
  { name, address, enter }: NetworkHost,
  settings: Settings,
): Promise<Machine> {
  const home = await createHome({ install: true, enter })
  // From the environment it could not be changed.
  delete home.env['CLAUDE_PEERS_HOST']
  home.env['CLAUDE_PEERS_PORT'] = String(PORT)
  const configure = (given: Settings) =>
    writeFile(join(home.path, '.claude-peers.json'), JSON.stringify({ host: name, ...given }), {
      mode: 0o600,
    })
  await configure(settings)
  const bin = join(home.path, 'bin')
  await mkdir(bin)
  await symlink(join(import.meta.dirname, '../../bin/claude-peers.cjs'), join(bin, 'claude-peers'))
  const shell = (line: string) =>
    home.run(['/bin/sh', '-c', line], { env: { PATH: `${bin}:${home.env['PATH']!}` } })
  return Object.assign(home, {
    shell,
    address,
    url: `http://${address}:${PORT}`,
    configure,
  })
}

/** The wall clock of every process that this user starts from now on is ahead by so much. */
export function skewClock(home: Home, ms: number): void {
  const { env } = home
  const preload = join(import.meta.dirname, 'skewed-clock.cjs')
  preloadInto(home, preload)
  env['NODE_OPTIONS'] = `--require=${preload}`
  env['SKEWED_CLOCK_MS'] = String(ms)
}
