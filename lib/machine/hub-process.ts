/**
 * Finding the local hub, and starting it when there is none. Many starters may race: each spawns a hub, the claim of
 * the database lets exactly one serve, the others leave at once, and every starter waits for the one that answers.
 */
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import semver from 'semver'
import { requestJson } from '#client/request'
import type { Config } from './config.ts'
import { HUB_EXIT } from './exit-codes.ts'
import { readIfThere } from './files.ts'
import { bundlePath, VERSION } from './package.ts'
import { makePrivateDir } from './paths.ts'
import { readRendezvous } from './rendezvous.ts'
import { readToken } from './token.ts'

/** Where a hub answers and what opens it. */
export type HubAddress = { url: string; token: string; version: string }

/** There is no hub to talk to, and why; the message says what to do next. */
export class HubUnavailableError extends Error {
  override name = 'HubUnavailableError'
}

const HEALTH_TIMEOUT_MS = 1_000
/** A cold start takes some 300 ms; a migration of a large database, or a busy machine, takes longer. */
const START_TIMEOUT_MS = 15_000
const POLL_MS = 25

/** The hub that answers now, or `undefined`. */
export async function findHub(config: Config): Promise<HubAddress | undefined> {
  const url = toHubUrl(config)
  const health = url && (await readHealth(url))
  if (!url || !health) return undefined
  const token = config.remote ? config.token : (readToken(config.paths.token) ?? config.token)
  return token ? { url, token, version: health.version } : undefined
}

/**
 * The hub, started if need be. A local hub older than `version` is asked to hand over first; a newer one never is,
 * and a remote one is only ever looked for. Rejects with HubUnavailableError.
 */
export async function ensureHub(config: Config, version: string = VERSION): Promise<HubAddress> {
  const found = await findHub(config)
  if (found && (config.remote || !semver.gt(version, found.version))) return found
  if (config.remote) {
    throw new HubUnavailableError(
      `The hub at ${config.brokerUrl} does not answer${config.token ? '' : ', and no token is configured'}. It runs on another machine: start it there, or check the network.`,
    )
  }
  if (found) await handOver(config, found)
  return startHub(config)
}

/** Remembers where the hub is; looks again, and starts it if need be, when that is asked for. */
export function locateHub(
  config: Config,
  version?: string,
): (how: { fresh: boolean }) => Promise<HubAddress> {
  let known: Promise<HubAddress> | undefined
  return ({ fresh }) => {
    if (fresh || !known) {
      known = ensureHub(config, version)
      known.catch(() => (known = undefined))
    }
    return known
  }
}

async function startHub(config: Config): Promise<HubAddress> {
  const child = spawnHub(config)
  const deadline = Date.now() + START_TIMEOUT_MS
  for (;;) {
    const found = await findHub(config)
    if (found) return found
    const failure = child.failure()
    if (failure) throw new HubUnavailableError(failure)
    if (Date.now() > deadline) {
      throw new HubUnavailableError(
        `The hub did not answer within ${START_TIMEOUT_MS / 1_000} s: see ${config.paths.log}.`,
      )
    }
    await wait(POLL_MS)
  }
}

/** Starts a hub that outlives this process, its terminal and its directory. */
function spawnHub(config: Config): { failure: () => string | undefined } {
  makePrivateDir(config.paths.dir)
  const words = `${config.paths.log}.start`
  const stderr = openSync(words, 'w', 0o600)
  const child = spawn(process.execPath, [bundlePath('hub.js')], {
    detached: true,
    cwd: '/',
    env: hubEnvironment(),
    stdio: ['ignore', 'ignore', stderr],
  })
  closeSync(stderr)
  child.unref()
  let failure: string | undefined
  child.on('error', (cause) => (failure = `The hub cannot be started: ${cause.message}`))
  child.on('exit', (code, signal) => {
    // The claim is held by a hub that is about to answer, or by one on another port.
    if (code === 0 || (code === HUB_EXIT.claimed && !isElsewhere(config))) return
    failure =
      readIfThere(words)?.trim() || `The hub ended at once (${signal ?? code}): see ${config.paths.log}.`
    if (code === HUB_EXIT.claimed) failure += ` ${elsewhere(config)}`
  })
  return { failure: () => failure }
}

/** A daemon must not carry a session's secrets about: only what a process of this user needs. */
function hubEnvironment(): NodeJS.ProcessEnv {
  const kept =
    /^(HOME|PATH|USER|LOGNAME|LANG|LC_\w+|TZ|TMPDIR|DISPLAY|WAYLAND_DISPLAY|DBUS_SESSION_BUS_ADDRESS|XDG_\w+|SystemRoot|USERPROFILE|CLAUDE_PEERS_\w+)$/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => kept.test(name)))
}

async function handOver(config: Config, { url, token }: HubAddress): Promise<void> {
  const pid = readRendezvous(config.paths.rendezvous)?.pid
  const answer = await requestJson({
    method: 'POST',
    url: `${url}/trpc/hub.stop`,
    headers: { authorization: `Bearer ${token}` },
    body: { reason: 'handover' },
    timeoutMs: HEALTH_TIMEOUT_MS,
  }).catch(() => undefined)
  if (answer && answer.status >= 400)
    throw new HubUnavailableError(`The older hub (pid ${pid}) refuses to hand over.`)
  const deadline = Date.now() + START_TIMEOUT_MS
  while (readRendezvous(config.paths.rendezvous)?.pid === pid && Date.now() < deadline) await wait(POLL_MS)
}

function toHubUrl(config: Config): string | undefined {
  if (config.remote) return config.brokerUrl
  const left = readRendezvous(config.paths.rendezvous)
  // Port 0 lets the system choose, so only the hub itself knows.
  if (left && (config.port === 0 || new URL(left.url).port === String(config.port))) return left.url
  return config.port === 0 ? undefined : config.brokerUrl
}

function isElsewhere(config: Config): boolean {
  const left = readRendezvous(config.paths.rendezvous)
  return left !== undefined && left.url !== toHubUrl(config)
}

function elsewhere(config: Config): string {
  const left = readRendezvous(config.paths.rendezvous)!
  return `It runs at ${left.url} (pid ${left.pid}): use the same CLAUDE_PEERS_PORT, or stop it with claude-peers stop.`
}

/** A hub of ours; any other program on the port has no such health. */
async function readHealth(url: string): Promise<{ version: string } | undefined> {
  const answer = await requestJson({
    method: 'GET',
    url: `${url}/health`,
    timeoutMs: HEALTH_TIMEOUT_MS,
  }).catch(() => undefined)
  const body = answer?.body as { name?: unknown; version?: unknown } | undefined
  if (answer?.status !== 200 || body?.name !== 'claude-peers' || !semver.valid(String(body.version)))
    return undefined
  return { version: String(body.version) }
}
