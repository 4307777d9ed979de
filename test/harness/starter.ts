import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Home } from './home.ts'

const run = promisify(execFile)

/** What a program got that needed the hub. */
export type Started = { url?: string; version?: string; error?: string; name?: string; ms: number }

/** Runs a program that needs the hub of a home; with `version`, one that claims to be that version. */
export async function startFrom(
  home: Home,
  {
    version,
    env = {},
    cwd = home.path,
  }: { version?: string; env?: Record<string, string>; cwd?: string } = {},
): Promise<Started> {
  const script = join(import.meta.dirname, 'starter-process.ts')
  const { stdout } = await run(process.execPath, [script, ...(version ? [version] : [])], {
    env: { ...home.env, ...env },
    cwd,
    timeout: 25_000,
  })
  return JSON.parse(stdout) as Started
}
