import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Home } from './home.ts'
import { stockClient } from './hub.ts'

const run = promisify(execFile)

/** What a program got that needed the hub. */
export type Started = { url?: string; version?: string; error?: string; name?: string; ms: number }

/** Runs a program that needs the hub of a home, so many times at once; with `version`, one that claims to be that version. */
export async function startFrom(
  home: Home,
  {
    version,
    times = 1,
    env = {},
    cwd = home.path,
  }: { version?: string; times?: number; env?: Record<string, string>; cwd?: string } = {},
): Promise<Started> {
  const script = join(import.meta.dirname, 'starter-process.ts')
  const { stdout } = await run(process.execPath, [script, ...(version ? [version] : [])], {
    env: { ...home.env, TIMES: String(times), ...env },
    cwd,
    timeout: 25_000,
  })
  return JSON.parse(stdout) as Started
}

/** The version of this checkout. */
export const VERSION = (
  JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as { version: string }
).version

/** What the hub at a URL says of itself to a client of a home. */
export async function statsOf(home: Home, url: string) {
  const headers = { authorization: `Bearer ${await home.token()}` }
  return stockClient({ url, headers }).hub.stats.query()
}

/** How often a hub of this home has begun to serve. */
export async function serves(home: Home): Promise<number> {
  const log = await readFile(join(home.path, '.claude-peers/hub.log'), 'utf8').catch(() => '')
  return log.split('"hub serves"').length - 1
}
