/**
 * Finding the hub, and starting the local one when there is none. What answers on the local port is believed to be the
 * hub only when it proves it; a remote hub is taken at its configured word.
 */
import semver from 'semver'
import { requestJson } from '#client/request'
import type { Config } from './config.ts'
import { explainDatabase, isAtPort, runningHub, toPort, toTokenless } from './hub-absence.ts'
import { processOf, readIdentityText, type HubIdentity } from './hub-identity.ts'
import { startHub } from './hub-start.ts'
import { HubSilentError, HubUnavailableError } from './hub-unavailable.ts'
import { VERSION } from './package.ts'
import { createChallenge, readProof } from './proof.ts'
import { askRemote, readHealth } from './remote-hub.ts'
import { readRendezvous } from './rendezvous.ts'
import { readToken } from './token.ts'

export { HubUnavailableError } from './hub-unavailable.ts'

/** Where a hub answers and what opens it. One of this machine has proven which process it is and what it serves. */
export type HubAddress = { url: string; token: string; version: string } & Partial<HubIdentity>

const HEALTH_TIMEOUT_MS = 1_000
/** Three ways there and back through TLS, one of them lost. */
const REMOTE_HEALTH_TIMEOUT_MS = 3_000
const FIRST_QUIET_MS = 1_000
const LONGEST_QUIET_MS = 30_000

/** The hub that answers now, or `undefined`. */
export async function findHub(config: Config): Promise<HubAddress | undefined> {
  if (config.remote) return findRemote(config).catch(() => undefined)
  const url = toLocalUrl(config)
  return url === undefined ? undefined : askLocal(config, url)
}

/**
 * The hub, started if need be. A local hub older than `version` is asked to hand over first; a newer one never is,
 * and a remote one is only ever looked for. Rejects with HubUnavailableError.
 */
export async function ensureHub(config: Config, version: string = VERSION): Promise<HubAddress> {
  if (config.remote) return findRemote(config)
  const find = () => findUsable(config)
  const found = await find()
  // What runs as a service is used as it is: nobody would look after the hub that took its place.
  const isOlder = (hub: HubAddress) => !hub.foreground && semver.lt(hub.version, version)
  if (found && !isOlder(found)) return found
  return startHub(config, {
    find,
    isOlder,
    isRunning: () => runningHub(config),
    ask: (url) => askLocal(config, url),
    replaces: found && processOf(found),
  })
}

/** Mail that is sent to one database is not found in another: a hub that serves the wrong one is refused. */
async function findUsable(config: Config): Promise<HubAddress | undefined> {
  const found = await findHub(config)
  const trouble = found && explainDatabase(found, config)
  if (trouble) throw new HubUnavailableError(trouble)
  return found
}

/**
 * Remembers where the hub is; looks again, and starts it if need be, when that is asked for. Many who ask at once share
 * one look. A local hub that could not be started is not started again for a while: each attempt is a process, and
 * every session of the user makes them.
 */
export function locateHub(
  config: Config,
  version?: string,
): (how: { fresh: boolean }) => Promise<HubAddress> {
  let known: Promise<HubAddress> | undefined
  let looking = false
  let failures = 0
  let quietUntil = 0

  async function look(): Promise<HubAddress> {
    try {
      const found = await ensureHub(config, version)
      failures = 0
      return found
    } catch (cause) {
      if (config.remote) known = undefined
      else quietUntil = performance.now() + Math.min(FIRST_QUIET_MS * 2 ** failures++, LONGEST_QUIET_MS)
      throw cause
    } finally {
      looking = false
    }
  }

  return ({ fresh }) => {
    const isFailed = failures > 0
    if (known && (looking || (isFailed ? performance.now() < quietUntil : !fresh))) return known
    looking = true
    known = look()
    return known
  }
}

/** The rendezvous leads, as only the hub itself knows a port that the system chose; but never to another port. */
function toLocalUrl(config: Config): string | undefined {
  const left = readRendezvous(config.paths.rendezvous)
  if (left && isAtPort(left.url, config)) return left.url
  return config.port === 0 ? undefined : config.brokerUrl
}

/** The hub of this user at a URL, if it proves that it is that: all that is said of it is of the proof. */
export async function askLocal({ paths }: Config, url: string): Promise<HubAddress | undefined> {
  const token = readToken(paths.token)
  if (!token) return undefined
  const challenge = createChallenge()
  const health = await requestJson({
    method: 'GET',
    url: `${url}/health?challenge=${challenge}`,
    timeoutMs: HEALTH_TIMEOUT_MS,
  }).then(readHealth, () => undefined)
  const proven = readProof(health, { token, challenge, port: toPort(url) })
  const identity = proven === undefined ? undefined : readIdentityText(proven)
  return identity && { ...identity, url, token }
}

/** Rejects with HubSilentError when there may be a hub later: another program may answer for it, as in a café. */
async function findRemote({ brokerUrl: url, token }: Config): Promise<HubAddress> {
  if (!token) throw new HubUnavailableError(toTokenless(url))
  const found = await askRemote({ url, token }, REMOTE_HEALTH_TIMEOUT_MS)
  if (found.kind === 'refused' || found.kind === 'untrusted') throw new HubUnavailableError(found.reason)
  if (found.kind) throw new HubSilentError(found.reason)
  return { url, token, version: found.version }
}
