import { spawn } from 'node:child_process'
import { closeSync, openSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import semver from 'semver'
import { toDays, type Config } from './config.ts'
import { HUB_EXIT } from './exit-codes.ts'
import { explainFullDisk, isDiskFull, readIfThere } from './files.ts'
import { HubUnavailableError } from './hub-unavailable.ts'
import { bundlePath, NODE_RANGE } from './package.ts'
import { makePrivateDir } from './paths.ts'
import { toReplaces } from './hub-identity.ts'
import { canSee, toLabel, type ProcessIdentity } from './processes.ts'
import { VARIABLE } from './settings.ts'

/** A hub that was spawned, as far as its starter follows it. */
export type SpawnedHub = {
  /** How it ended; `undefined` while it runs. `mayRetry`: another hub stood in its way, or it was stopped. */
  ended(): { code: number | null; mayRetry: boolean; reason: string } | undefined
  /** Stops following it. It goes on, unless another process is known to serve: then it ends. */
  dispose(serving: ProcessIdentity | undefined): void
}

/**
 * Words for Node before a hub that is spawned, as far as this Node knows them. V8 keeps a helper thread for each core, with
 * memory of its own, and one does; and it doubles its young generation, to 68 MB in the end, when calls have waited.
 */
export const toNodeArgs = (): string[] =>
  ['--v8-pool-size=1', '--max-semi-space-size=8'].filter((arg) =>
    process.allowedNodeEnvironmentFlags.has(arg.split('=')[0]!),
  )

let spawned = 0

/**
 * Spawns a hub that outlives this process, its terminal and its directory, with the settings of `config`. Throws
 * HubUnavailableError when it cannot even be tried.
 */
export function spawnHub(
  config: Config,
  { replaces }: { replaces: ProcessIdentity | undefined },
): SpawnedHub {
  const { dir } = config.paths
  // Each starter reads the words of its own hub: with one file, racing starters would overwrite each other's.
  const words = join(dir, `hub.start-${toLabel(process.pid)}.${++spawned}`)
  const errors = join(dir, 'hub.err')
  const stderr = prepare(dir, words)
  const args = replaces === undefined ? [] : [toReplaces(replaces)]
  const child = spawn(toNode(), [...toNodeArgs(), bundlePath('hub.js'), ...args], {
    detached: true,
    windowsHide: true,
    cwd: '/',
    env: toEnvironment(config),
    stdio: ['ignore', 'ignore', stderr],
  })
  closeSync(stderr)
  child.unref()
  let ended: ReturnType<SpawnedHub['ended']>
  let explained = false
  child.on('error', (cause) => {
    ended = { code: null, mayRetry: false, reason: `The hub cannot be started: ${cause.message}.` }
  })
  child.on('exit', (code, signal) => {
    const said = readWords(words)
    explained = said !== undefined || code === 0
    ended ??= {
      code,
      mayRetry: code === 0 || code === HUB_EXIT.claimed,
      reason: said ?? explainFullDisk(dir) ?? `The hub ended at once (${signal ?? code}): see ${errors}.`,
    }
  })
  return {
    ended: () => ended,
    dispose(serving) {
      const isServing = serving !== undefined && canSee(serving) && serving.pid === child.pid
      // One that lost the race and is slow to see it would serve after the winner was stopped, when nobody wants it.
      if (!ended && serving && !isServing) child.kill()
      try {
        // What a hub that crashes says last has no other place than its standard error.
        if ((!ended && isServing) || (ended && !explained)) renameSync(words, errors)
        else rmSync(words, { force: true })
      } catch {
        // Where an open file cannot be moved, it stays as it is called.
      }
    },
  }
}

/** What a hub said to its starter; anything else is a crash, in words that are for nobody. */
function readWords(path: string): string | undefined {
  try {
    return /^claude-peers: (.+)$/m.exec(readIfThere(path) ?? '')?.[1]
  } catch {
    return undefined
  }
}

function prepare(dir: string, words: string): number {
  try {
    makePrivateDir(dir)
    return openSync(words, 'w', 0o600)
  } catch (cause) {
    const { message } = cause as Error
    const advice = isDiskFull(cause) ? 'Free some space on that disk.' : `Make ${dir} a directory of yours.`
    throw new HubUnavailableError(`The hub cannot be started: ${message}. ${advice}`)
  }
}

/** A program in Bun or Electron may use the client too; the hub itself needs Node. */
function toNode(): string {
  const { node, bun, electron } = process.versions
  if (bun !== undefined || electron !== undefined) return 'node'
  if (semver.satisfies(node, NODE_RANGE)) return process.execPath
  throw new HubUnavailableError(
    `The hub needs Node ${NODE_RANGE}, and this is ${node}: run "claude-peers hub" with a newer one.`,
  )
}

/** A daemon must not carry a session's secrets about: only what a process of this user needs. */
const KEPT =
  /^(PATH|USER|LOGNAME|LANG|LC_\w+|TZ|TMPDIR|TEMP|TMP|DISPLAY|WAYLAND_DISPLAY|DBUS_SESSION_BUS_ADDRESS|XDG_\w+|SystemRoot|USERPROFILE|APPDATA|LOCALAPPDATA|CLAUDE_PEERS_\w+)$/i

/**
 * The file is read by the hub itself: a session that has run for long would start it with settings that have changed
 * since, such as the address that `hub invite` writes.
 */
function toEnvironment({ paths, origins, brokerUrl, expireAfterMs, ...settings }: Config): NodeJS.ProcessEnv {
  const { port, database, bind, host, hosts } = settings
  const own = {
    port: String(port),
    database,
    bind,
    host,
    hosts: hosts.join(),
    expire_after_days: String(toDays(expireAfterMs)),
  }
  const given = Object.entries(own).filter(([name]) => origins[name as keyof typeof own] === 'environment')
  return {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => KEPT.test(name))),
    HOME: paths.home,
    ...Object.fromEntries(given.map(([name, value]) => [VARIABLE[name as keyof typeof own], value])),
    // A session that began before this machine joined another's hub goes on with the one that it starts here.
    CLAUDE_PEERS_BROKER_URL: brokerUrl,
  }
}
