import type { Answer } from './request.ts'

const ADVICE: Record<number, string> = {
  401: 'its token is wrong or was revoked: have it invited again on the machine of the hub',
  403: 'remote access is off there',
  421: 'the hub is not known by this name: use another URL, or name it in "hosts" on its machine',
}

/** A door that tells a stranger nothing says this, the phrases of RFC 9110. */
const PHRASES = new Set(['Unauthorized', 'Forbidden', 'Misdirected Request'])

/** Why the door of a hub does not let a machine in, whatever it asks for; `undefined` for other answers. */
export function explainRefusal({ status, body }: Answer, url: string): string | undefined {
  const advice = ADVICE[status]
  const said = (body as { error?: { message?: unknown } } | null)?.error?.message
  if (advice === undefined || (typeof said === 'string' && !PHRASES.has(said))) return undefined
  return `The hub at ${url} does not let this machine in (${status}): ${advice}.`
}

/** The codes of OpenSSL and node:tls for a certificate, or a protocol, that is not as it should be. */
const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|ERR_TLS|ERR_SSL|EPROTO/

/** Why what answers over TLS is not taken for the hub; `undefined` for other failures. */
export function explainTls(cause: unknown, url: string): string | undefined {
  const { code } = cause as NodeJS.ErrnoException
  if (code === undefined || !UNTRUSTED.test(code)) return undefined
  return `What answers at ${url} cannot be trusted to be the hub (${code}): see whether the URL is right, and the clock. A certificate of your own authority is named with NODE_EXTRA_CA_CERTS.`
}
