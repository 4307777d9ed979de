import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import semver from 'semver'
import { findClient } from '../install/client.ts'
import { ok, toFix, unknown, type Line } from './line.ts'
import type { Scene } from './scene.ts'

const about = 'Claude Code'
/** The oldest version that the hooks are known to work with. */
const OLDEST = '2.1.197'
const PATIENCE_MS = 10_000

/** Whether the client on the PATH is one that the hooks work with. */
export async function checkClient({ env, paths }: Scene): Promise<Line> {
  const client = findClient(paths.home, env)
  if (!client) return unknown(about, 'no "claude" on this PATH: its version is not known')
  const said = await versionOf(client.file, client.env)
  const version = semver.parse(/^\d+\.\d+\.\d+/.exec(said ?? '')?.[0])
  if (version === null) return unknown(about, `${client.file} does not tell its version`)
  if (semver.gte(version, OLDEST)) return ok(about, `${version.version} at ${client.file}`)
  return toFix(about, `${version.version} at ${client.file} is older than ${OLDEST}.`, 'claude update')
}

/** What a program prints when it is asked for its version; `undefined` when it fails or takes longer than ten seconds. */
export async function versionOf(file: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const running = promisify(execFile)(file, ['--version'], {
    env,
    timeout: PATIENCE_MS,
    killSignal: 'SIGKILL',
  })
  running.child.stdin?.end()
  return running.then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  )
}
