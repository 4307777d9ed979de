import { existsSync } from 'node:fs'
import { delimiter, join, sep } from 'node:path'
import { quote } from './doctor/line.ts'
import { shortenPaths } from '#frame/home-path'
import { PACKAGE_ROOT } from '#machine/package'
import { toPaths } from '#machine/paths'

/** Where a person types: what is on the PATH, which directory that is, and where this installation lies. */
export type Typist = { env: NodeJS.ProcessEnv; cwd: string; root: string }

const BESIDE_THE_PROJECT = join('node_modules', '.bin')

/**
 * How a person runs this installation: `claude-peers` where that is on the PATH, `npx claude-peers` in a checkout that
 * is not linked, else its Node and its file. What npx and npm add to the PATH is there for their own runs alone.
 */
export function toOwnCommand({ env, cwd, root }: Typist): string {
  const directories = (env['PATH'] ?? '').split(delimiter).filter((one) => one !== '' && !isOfNpm(one))
  const names = process.platform === 'win32' ? ['claude-peers.cmd'] : ['claude-peers']
  if (directories.some((one) => names.some((name) => existsSync(join(one, name))))) return 'claude-peers'
  if (cwd === root || cwd.startsWith(root + sep)) return 'npx claude-peers'
  return [process.execPath, join(root, 'bin', 'claude-peers.cjs')].map(quote).join(' ')
}

const isOfNpm = (directory: string) =>
  directory.endsWith(BESIDE_THE_PROJECT) || directory.includes(`${sep}_npx${sep}`)

/** A text of ours as this person can use it: paths below the home as `~/…`, commands as they can be typed here. */
export function toOwnWords(text: string, home = toPaths().home): string {
  const named = text.replaceAll(COMMAND, (_, rest: string) => `"${readCommand()} ${rest}"`)
  return shortenPaths(named, home)
}

/** A command in quotes, unless it is to be typed at another machine. */
const COMMAND = /"claude-peers ([a-z][^"]*)"(?! (?:there|on ))/g

/** The command of this process's person. */
export const readCommand = (): string =>
  toOwnCommand({ env: process.env, cwd: process.cwd(), root: PACKAGE_ROOT })
