import { statSync } from 'node:fs'
import { requestJson } from '#client/request'
import type { Config } from './config.ts'
import { askRemote, type RemoteLook } from './remote-hub.ts'
import { readLiveRendezvous, readUnseenRendezvous, type Rendezvous } from './rendezvous.ts'

/**
 * Why no hub answers. `no-token` and what `askRemote` finds: a remote one. Of this machine: `silent` runs and does not
 * answer, `elsewhere` runs at another port than the configured one, `starting` will answer soon, `foreign` is another program
 * on the port, and `none` is nobody.
 */
export type Absence = {
  kind:
    | NonNullable<RemoteLook['kind']>
    | 'no-token'
    | 'silent'
    | 'elsewhere'
    | 'starting'
    | 'foreign'
    | 'none'
  /** What is the matter and what to do about it, in whole sentences. */
  reason: string
  /** The hub that runs, where it is `silent` or `elsewhere`. */
  hub?: Rendezvous
}

const LOOK_TIMEOUT_MS = 1_000

/** Finds out why `findHub` found none. */
export async function explainAbsence(config: Config): Promise<Absence> {
  const { brokerUrl, remote } = config
  if (remote) return explainRemote(config)
  const hub = readLiveRendezvous(config.paths.rendezvous)
  if (hub && isAtPort(hub.url, config)) return { kind: 'silent', reason: toSilence(hub), hub }
  if (hub) {
    const reason = `The hub runs at ${hub.url} (pid ${hub.pid}), and here ${brokerUrl} is configured: use the same "port" in ~/.claude-peers.json (or CLAUDE_PEERS_PORT), or end it with "claude-peers stop".`
    return { kind: 'elsewhere', reason, hub }
  }
  const who = config.port === 0 ? 'none' : await whoAnswers(brokerUrl)
  if (who === 'foreign') {
    const reason = `Another program answers at ${brokerUrl}: end that one, or set "port" in ~/.claude-peers.json (or CLAUDE_PEERS_PORT) to a free one.`
    return { kind: who, reason }
  }
  if (who === 'starting')
    return { kind: who, reason: `The hub at ${brokerUrl} starts: try again in a moment.` }
  const unseen = readUnseenRendezvous(config.paths.rendezvous)
  if (unseen) return { kind: who, reason: toUnseen(unseen) }
  return {
    kind: who,
    reason: `No hub answers at ${brokerUrl}. It starts with the next session or "claude-peers send".`,
  }
}

async function explainRemote({ brokerUrl: url, token }: Config): Promise<Absence> {
  if (!token) return { kind: 'no-token', reason: toTokenless(url) }
  const look = await askRemote({ url, token }, LOOK_TIMEOUT_MS)
  // It may have come back between two looks.
  return look.kind ? look : { kind: 'busy', reason: `The hub at ${url} answers again: try once more.` }
}

/** The words about a hub of another machine that cannot even be asked. */
export const toTokenless = (url: string): string =>
  `The hub at ${url} is on another machine, and no token is configured: set "token" in ~/.claude-peers.json, or CLAUDE_PEERS_TOKEN, to that of the hub, or run here what "claude-peers hub invite" prints there.`

/** The words about a hub that runs and does not answer. */
export const toSilence = ({ url, pid }: Rendezvous): string =>
  `The hub (pid ${pid}) does not answer at ${url}. If that lasts, end it with "claude-peers stop".`

/** The words about a hub of another pid namespace that does not answer here. */
export const toUnseen = ({ url, pid }: Rendezvous): string =>
  `No hub answers at ${url}. The last one (pid ${pid} there) was started in another container, or on the host of this one, and cannot be seen from here: if it runs, end it there with "claude-peers stop".`

/** The local hub that runs where this configuration looks for it, whether it answers or not. */
export function runningHub(config: Config): Rendezvous | undefined {
  const hub = readLiveRendezvous(config.paths.rendezvous)
  return hub && isAtPort(hub.url, config) ? hub : undefined
}

/** Whether a URL has the configured port; a port that the system chose is only known from the URL. */
export function isAtPort(url: string, { port }: Pick<Config, 'port'>): boolean {
  return port === 0 || toPort(url) === port
}

/** The port of an http URL. */
export const toPort = (url: string): number => Number(new URL(url).port || 80)

/** Why a hub that answers must not be used: it serves another database than this configuration means. */
export function explainDatabase(
  hub: { url: string; pid?: number | undefined; database?: string | undefined },
  { database }: Config,
): string | undefined {
  if (hub.database === undefined || isSameFile(hub.database, database)) return undefined
  return `The hub at ${hub.url} (pid ${hub.pid}) serves ${hub.database}, and here ${database} is configured: use the same CLAUDE_PEERS_DB everywhere, or end that hub with "claude-peers stop".`
}

function isSameFile(one: string, other: string): boolean {
  if (one === other) return true
  const [left, right] = [one, other].map((path) => statSync(path, { bigint: true, throwIfNoEntry: false }))
  return left !== undefined && left.dev === right?.dev && left.ino === right.ino
}

async function whoAnswers(url: string): Promise<'none' | 'starting' | 'foreign'> {
  try {
    const { status, body } = await requestJson({
      method: 'GET',
      url: `${url}/health`,
      timeoutMs: LOOK_TIMEOUT_MS,
    })
    const error = (body as { error?: { data?: { code?: unknown } } } | null)?.error
    return status === 503 && error?.data?.code === 'SERVICE_UNAVAILABLE' ? 'starting' : 'foreign'
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    return code === 'ECONNREFUSED' || code === 'EADDRNOTAVAIL' ? 'none' : 'foreign'
  }
}
