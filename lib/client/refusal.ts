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
