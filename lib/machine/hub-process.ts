/**
 * Finding the hub, and starting the local one when there is none. What answers on the local port is believed to be the
 * hub only when it proves it; a remote hub is taken at its configured word.
 */
import semver from 'semver'
import { toHeaders } from '#client/endpoint'
import { explainRefusal, explainTls } from '#client/refusal'
import { requestJson, type Answer } from '#client/request'
import type { Config } from './config.ts'
import { explainDatabase, explainRemote, isAtPort, runningHub, toPort } from './hub-absence.ts'
import { startHub } from './hub-start.ts'
import { HubSilentError, HubUnavailableError } from './hub-unavailable.ts'
import { VERSION } from './package.ts'
import { createChallenge, isProof } from './proof.ts'
import { readRendezvous } from './rendezvous.ts'
import { readToken } from './token.ts'

export { HubUnavailableError } from './hub-unavailable.ts'

/** Where a hub answers and what opens it; `pid` and `database` of a local one, where its rendezvous tells. */
export type HubAddress = { url: string; token: string; version: string } & Omit<Place, 'url'>

const HEALTH_TIMEOUT_MS = 1_000
/** Three ways there and back through TLS, one of them lost. */
const REMOTE_HEALTH_TIMEOUT_MS = 3_000
const FIRST_QUIET_MS = 1_000
const LONGEST_QUIET_MS = 30_000

/** The hub that answers now, or `undefined`. */
export async function findHub(config: Config): Promise<HubAddress | undefined> {
  if (config.remote) return config.token ? askRemote(config.brokerUrl, config.token) : undefined
  const place = toLocalPlace(config)
  return place && askLocal(config, place)
}

/**
 * The hub, started if need be. A local hub older than `version` is asked to hand over first; a newer one never is,
 * and a remote one is only ever looked for. Rejects with HubUnavailableError.
 */
export async function ensureHub(config: Config, version: string = VERSION): Promise<HubAddress> {
  const find = () => findUsable(config)
  const found = await find()
  if (config.remote) {
    if (found) return found
    const { kind, reason } = explainRemote(config)
    throw kind === 'unreachable' ? new HubSilentError(reason) : new HubUnavailableError(reason)
  }
  const isOlder = (hub: HubAddress) => semver.lt(hub.version, version)
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

type Place = { url: string; pid?: number | undefined; database?: string | undefined }

/** The rendezvous leads, as only the hub itself knows a port that the system chose; but never to another port. */
function toLocalPlace(config: Config): Place | undefined {
  const left = readRendezvous(config.paths.rendezvous)
  if (left && isAtPort(left.url, config)) return left
  return config.port === 0 ? undefined : { url: config.brokerUrl }
}

/** The hub of this user at a place, if it proves that it is that. */
export async function askLocal(
  { paths }: Config,
  { url, pid, database }: Place,
): Promise<HubAddress | undefined> {
  const token = readToken(paths.token)
  if (!token) return undefined
  const challenge = createChallenge()
  const health = toHealth(
    await askHealth(`${url}/health?challenge=${challenge}`, { timeoutMs: HEALTH_TIMEOUT_MS }).catch(
      () => undefined,
    ),
  )
  if (!health || !isProof(health.proof, { token, challenge, port: toPort(url) })) return undefined
  return { url, token, version: health.version, pid, database }
}

/** A remote hub says nothing to whom it does not know. Rejects when it refuses this machine. */
async function askRemote(url: string, token: string): Promise<HubAddress | undefined> {
  const answer = await askHealth(`${url}/health`, {
    headers: toHeaders({ url, token }),
    timeoutMs: REMOTE_HEALTH_TIMEOUT_MS,
  }).catch((cause: unknown) => {
    const untrusted = explainTls(cause, url)
    if (untrusted !== undefined) throw new HubUnavailableError(untrusted)
    return undefined
  })
  if (answer && [401, 403, 421].includes(answer.status)) {
    throw new HubUnavailableError(explainRefusal(answer, url) ?? toWords(answer.body))
  }
  const health = toHealth(answer)
  return health && { url, token, version: health.version }
}

const toWords = (body: unknown): string => (body as { error: { message: string } }).error.message

function askHealth(
  url: string,
  options: { headers?: Record<string, string>; timeoutMs: number },
): Promise<Answer> {
  return requestJson({ method: 'GET', url, ...options })
}

/** What a program says that calls itself a hub; any other has no such health. */
function toHealth(answer: Answer | undefined): { version: string; proof: unknown } | undefined {
  const body = answer?.body as { name?: unknown; version?: unknown; proof?: unknown } | null | undefined
  const version = semver.valid(String(body?.version))
  if (answer?.status !== 200 || body?.name !== 'claude-peers' || version === null) return undefined
  return { version, proof: body.proof }
}
