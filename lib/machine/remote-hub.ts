import semver from 'semver'
import { requestJson, type Answer } from '#client/request'

/** Where the hub of another machine is said to be. */
export type RemotePlace = { url: string; token: string }

/** The hub there, or why there is none for this token; `skewMs`: how far its clock is ahead of ours, to a second. */
export type RemoteLook =
  | { version: string; skewMs: number | undefined; kind?: undefined }
  | { kind: 'unreachable' | 'untrusted' | 'foreign' | 'refused' | 'busy'; reason: string }

/** The words about a hub of another machine that is older than this installation: it is never asked to hand over. */
export const describeOlder = (url: string, version: string): string =>
  `The hub at ${url} is older (${version}): update it there.`

/** How a program that says so calls itself a hub: its `/health`. */
export function readHealth({ status, body }: Answer): { version: string; proof: unknown } | undefined {
  const health = body as { name?: unknown; version?: unknown; proof?: unknown } | null | undefined
  const version = semver.valid(String(health?.version))
  if (status !== 200 || health?.name !== 'claude-peers' || version === null) return undefined
  return { version, proof: health.proof }
}

/** Asks a remote hub how it is, once. */
export async function askRemote(place: RemotePlace, timeoutMs: number): Promise<RemoteLook> {
  const { url, token } = place
  const headers = { authorization: `Bearer ${token}` }
  try {
    const answer = await requestJson({ method: 'GET', url: `${url}/health`, headers, timeoutMs })
    const health = readHealth(answer)
    return health ? { version: health.version, skewMs: toSkew(answer) } : toRefusal(url, answer)
  } catch (cause) {
    return toFailure(url, cause as NodeJS.ErrnoException)
  }
}

function toSkew({ date }: Answer): number | undefined {
  const theirs = Date.parse(date ?? '')
  return Number.isNaN(theirs) ? undefined : theirs - Date.now()
}

const INVITE = 'Run "claude-peers hub invite <label>" on the machine of that hub, and here what it prints.'

function toRefusal(url: string, { status, body }: Answer): RemoteLook {
  const message = (body as { error?: { message?: unknown } } | null | undefined)?.error?.message
  const words = typeof message === 'string' ? message : undefined
  if (status === 401) {
    const reason = `The hub at ${url} refuses the token: it is not whole, was revoked, or belongs to an invitation that is over a day old. ${INVITE}`
    return { kind: 'refused', reason }
  }
  if (status === 421) {
    const name = new URL(url).hostname
    const reason = `The hub at ${url} does not know that it is called ${name}: add that to "hosts" in ~/.claude-peers.json there, and restart it.`
    return { kind: 'refused', reason }
  }
  if (status === 429) {
    return {
      kind: 'busy',
      reason: `The hub at ${url} takes no more calls from here for now: try again in a minute.`,
    }
  }
  if (status === 503) {
    return { kind: 'busy', reason: `The hub at ${url} starts or stops: try again in a moment.` }
  }
  if (status === 403 && words !== undefined) {
    const reason = `The hub at ${url} refuses: ${words}. ${INVITE}`
    return { kind: 'refused', reason }
  }
  return { kind: 'foreign', reason: toForeign(url, `status ${status}`) }
}

const toForeign = (url: string, detail: string) =>
  `What answers at ${url} is no hub (${detail}): check the address, the port, and http or https.`

/** The certificate is the hub's machine's business, or that of this machine's list of authorities. */
const CERTIFICATE = /^(CERT_|ERR_TLS_CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/
const NO_TLS = /^(EPROTO|ERR_SSL_)/
const NO_HTTP = /^HPE_/

function toFailure(url: string, { code = '' }: NodeJS.ErrnoException): RemoteLook {
  if (CERTIFICATE.test(code)) {
    const reason = `The certificate of ${url} is not trusted (${code}): use the name that it is made for, or name its authority in NODE_EXTRA_CA_CERTS.`
    return { kind: 'untrusted', reason }
  }
  if (NO_TLS.test(code)) {
    const reason = `What answers at ${url} speaks no TLS (${code}): use http:// for the hub itself.`
    return { kind: 'untrusted', reason }
  }
  if (NO_HTTP.test(code)) return { kind: 'foreign', reason: toForeign(url, code) }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    const reason = `The hub at ${url} does not answer: this machine finds no such name (${code}). Check it, and that the private network is up.`
    return { kind: 'unreachable', reason }
  }
  return { kind: 'unreachable', reason: toUnanswered(url) }
}

/** The words about a hub of another machine that says nothing. */
export const toUnanswered = (url: string): string =>
  `The hub at ${url} does not answer. It runs on another machine: start it there, or check the network.`
