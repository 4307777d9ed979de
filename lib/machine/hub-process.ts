/**
 * Finding the hub, and starting the local one when there is none. What answers on the local port is believed to be the
 * hub only when it proves it; a remote hub is taken at its configured word.
 */
import semver from 'semver'
import { requestJson } from '#client/request'
import type { Config } from './config.ts'
import { explainDatabase, isAtPort, runningHub, toPort, toTokenless } from './hub-absence.ts'
import { startHub } from './hub-start.ts'
import { HubSilentError, HubUnavailableError } from './hub-unavailable.ts'
import { VERSION } from './package.ts'
import { createChallenge, isProof } from './proof.ts'
import { askRemote, readHealth } from './remote-hub.ts'
import { readRendezvous } from './rendezvous.ts'
import { readToken } from './token.ts'

export { HubUnavailableError } from './hub-unavailable.ts'

/** Where a hub answers and what opens it; the rest is of a local one, where its rendezvous tells. */
export type HubAddress = { url: string; token: string; version: string } & Omit<Place, 'url'>

const HEALTH_TIMEOUT_MS = 1_000
/** Three ways there and back through TLS, one of them lost. */
const REMOTE_HEALTH_TIMEOUT_MS = 3_000
const FIRST_QUIET_MS = 1_000
const LONGEST_QUIET_MS = 30_000

/** The hub that answers now, or `undefined`. */
export async function findHub(config: Config): Promise<HubAddress | undefined> {
  if (config.remote) return findRemote(config).catch(() => undefined)
  const place = toLocalPlace(config)
  return place && askLocal(config, place)
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
    isServing: (url) => askLocal(config, { url }).then(Boolean),
    replaces: found?.pid,
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

type Place = {
  url: string
  pid?: number | undefined
  database?: string | undefined
  foreground?: boolean | undefined
}

/** The rendezvous leads, as only the hub itself knows a port that the system chose; but never to another port. */
function toLocalPlace(config: Config): Place | undefined {
  const left = readRendezvous(config.paths.rendezvous)
  if (left && isAtPort(left.url, config)) return left
  return config.port === 0 ? undefined : { url: config.brokerUrl }
}

/** The hub of this user at a place, if it proves that it is that. */
export async function askLocal(
  { paths }: Config,
  { url, pid, database, foreground }: Place,
): Promise<HubAddress | undefined> {
  const token = readToken(paths.token)
  if (!token) return undefined
  const challenge = createChallenge()
  const health = await requestJson({
    method: 'GET',
    url: `${url}/health?challenge=${challenge}`,
    timeoutMs: HEALTH_TIMEOUT_MS,
  }).then(readHealth, () => undefined)
  if (!health || !isProof(health.proof, { token, challenge, port: toPort(url) })) return undefined
  return { url, token, version: health.version, pid, database, foreground }
}

/** Rejects with HubSilentError when there may be a hub later: another program may answer for it, as in a café. */
async function findRemote({ brokerUrl: url, token }: Config): Promise<HubAddress> {
  if (!token) throw new HubUnavailableError(toTokenless(url))
  const found = await askRemote({ url, token }, REMOTE_HEALTH_TIMEOUT_MS)
  if (found.kind === 'refused' || found.kind === 'untrusted') throw new HubUnavailableError(found.reason)
  if (found.kind) throw new HubSilentError(found.reason)
  return { url, token, version: found.version }
}
