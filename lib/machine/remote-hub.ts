import semver from 'semver'
import { explainRefusal, explainTls, INVITE } from '#client/refusal'
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
export function readHealth({
  status,
  body,
}: Answer): { version: string; proof?: unknown; identity?: unknown } | undefined {
  const health = body as
    | Partial<Record<'name' | 'version' | 'proof' | 'identity', unknown>>
    | null
    | undefined
  const version = semver.valid(String(health?.version))
  if (status !== 200 || health?.name !== 'claude-peers' || version === null) return undefined
  return { version, proof: health.proof, identity: health.identity }
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

function toRefusal(url: string, answer: Answer): RemoteLook {
  const { status, body } = answer
  const words = (body as { error?: { message?: unknown } } | null | undefined)?.error?.message
  if (status === 429) {
    const reason = `The hub at ${url} takes no more calls from here for now: too many came, or too many with a wrong token. Try again in a minute. If this machine was revoked, ${INVITE}.`
    return { kind: 'busy', reason }
  }
  if (status === 503) {
    return { kind: 'busy', reason: `The hub at ${url} starts or stops: try again in a moment.` }
  }
  // A hub at the end of a tunnel takes us for its own machine, and says where a token is that is none of ours.
  const refusal = explainRefusal(status === 401 ? { status, body: undefined } : answer, url)
  if (refusal !== undefined) return { kind: 'refused', reason: refusal }
  if (typeof words === 'string' && [401, 403, 421].includes(status)) {
    return { kind: 'refused', reason: `The hub at ${url} refuses: ${words}` }
  }
  return { kind: 'foreign', reason: toForeign(url, `status ${status}`) }
}

const toForeign = (url: string, detail: string) =>
  `What answers at ${url} is no hub (${detail}): check the address, the port, and http or https.`

const NO_HTTP = /^HPE_/

function toFailure(url: string, cause: NodeJS.ErrnoException): RemoteLook {
  const { code = '' } = cause
  const untrusted = explainTls(cause, url)
  if (untrusted !== undefined) return { kind: 'untrusted', reason: untrusted }
  if (NO_HTTP.test(code)) return { kind: 'foreign', reason: toForeign(url, code) }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    const reason = `The hub at ${url} does not answer: this machine finds no such name (${code}). Check it, and that the private network is up.`
    return { kind: 'unreachable', reason }
  }
  if (code === 'ECONNRESET') {
    const reason = `The hub at ${url} hung up (${code}). If that lasts, check the port, and http or https.`
    return { kind: 'unreachable', reason }
  }
  return { kind: 'unreachable', reason: toSilent(url) }
}

/** The words about a hub of another machine that does not answer. */
export const toSilent = (url: string): string =>
  `The hub at ${url} does not answer. It runs on another machine: start it there, or check the network.`
