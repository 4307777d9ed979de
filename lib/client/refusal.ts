import type { Answer } from './request.ts'

/** What lets a machine in (again). */
export const INVITE =
  'run "claude-peers hub invite <label>" on the machine of the hub, and here what that prints'

const ADVICE: Record<number, string> = {
  401: `its token is wrong, was revoked, or is an invitation that is over a day old: ${INVITE}`,
  403: `remote access is off there, as no machine is invited: ${INVITE}`,
  421: 'the hub is not known by this name: use another URL, or name it in "hosts" on its machine',
}

/** A door that tells a stranger nothing says this, the phrases of RFC 9110, or that there is no door. */
const PHRASES = new Set(['Unauthorized', 'Forbidden', 'Misdirected Request', 'remote access is off'])

/** Why the door of a hub does not let a machine in, whatever it asks for; `undefined` for other answers. */
export function explainRefusal({ status, body }: Answer, url: string): string | undefined {
  const advice = ADVICE[status]
  const said = (body as { error?: { message?: unknown } } | null)?.error?.message
  if (advice === undefined || (typeof said === 'string' && !PHRASES.has(said))) return undefined
  return `The hub at ${url} does not let this machine in (${status}): ${advice}.`
}

/** What a hub says that was built before a procedure was; ours and the words of tRPC's own server. */
const UNKNOWN_CALL = /^(?:There is no procedure|No procedure found)/

/** Why a hub does not know a call that this installation makes; `undefined` for other answers. */
export function explainUnknownCall({ status, body }: Answer, url: string): string | undefined {
  const said = (body as { error?: { message?: unknown } } | null)?.error?.message
  if (status !== 404 || typeof said !== 'string' || !UNKNOWN_CALL.test(said)) return undefined
  return `The hub at ${url} is older than this installation and does not know this call: update it there.`
}

/** The codes of OpenSSL and node:tls for a certificate, or a protocol, that is not as it should be. */
const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|ERR_TLS|ERR_SSL|EPROTO/

/** Why what answers over TLS is not taken for the hub; `undefined` for other failures. */
export function explainTls(cause: unknown, url: string): string | undefined {
  const { code } = cause as NodeJS.ErrnoException
  if (code === undefined || !UNTRUSTED.test(code)) return undefined
  if (/EPROTO|ERR_SSL/.test(code)) {
    return `What answers at ${url} speaks no TLS (${code}): use http:// for the hub itself.`
  }
  return `What answers at ${url} cannot be trusted to be the hub (${code}): see whether the URL is right, and the clock. A certificate of your own authority is named with NODE_EXTRA_CA_CERTS.`
}
