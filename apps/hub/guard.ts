/**
 * The door. It decides from the connection, the request line and the headers alone, before any body is read and before
 * tRPC sees the request, for HTTP and for WebSocket upgrades alike: a web page can reach a loopback port, so the Host
 * must be one of ours (DNS rebinding), no Origin may be foreign (a browser always sends one on a WebSocket), and the
 * token must be right. Who comes from elsewhere without one learns nothing, not even that this is a hub.
 */
import { hash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { MachineToken, MachineTokens } from '#db/machine-tokens'
import type { Caller } from '#router/context'
import { readOrigin, type Origin } from './origin.ts'
import type { Throttle } from './throttle.ts'

export type GuardOptions = {
  /** The token of this machine's user. It counts from this machine alone. */
  localToken: string
  /** A token that several machines share, if one is configured. */
  sharedToken: string | undefined
  /** The tokens of other machines; `undefined` before the database is open. */
  tokens: () => Pick<MachineTokens, 'find' | 'isOver' | 'any'> | undefined
  /** Whether the hub is called by this name or address. */
  isKnownHost: (host: string) => boolean
  throttle: Throttle
}

export type Refusal = {
  allowed: false
  status: number
  /** For the log, and for the caller where `told`. */
  reason: string
  told: boolean
  /** In seconds. */
  retryAfter?: number
}
export type Entry = { allowed: true; caller: Caller; token?: MachineToken }
/** What is decided of a request, and where that came from. */
export type Verdict = (Entry | Refusal) & { origin: Origin }

/** Makes the check of every request. `open`: what anybody of this machine may ask without a token. */
export function createGuard({ localToken, sharedToken, tokens, isKnownHost, throttle }: GuardOptions) {
  const local = digest(localToken)
  const shared = sharedToken ? digest(sharedToken) : undefined

  return function check(request: IncomingMessage, options: { open: boolean }): Verdict {
    const origin = readOrigin(request)
    const { rawHeaders } = request
    if (hasTwo(rawHeaders, 'host') || hasTwo(rawHeaders, 'authorization')) return { ...AMBIGUOUS, origin }
    // On this machine a program that is led astray learns why; elsewhere the token comes first.
    const trouble = origin.near ? explainHeaders(request, origin) : undefined
    const verdict = trouble ?? checkToken(request, origin, options.open)
    const later = verdict.allowed && !origin.near ? explainHeaders(request, origin) : undefined
    return { ...(later ?? verdict), origin }
  }

  function explainHeaders({ headers }: IncomingMessage, { host, called }: Origin): Refusal | undefined {
    if (host === undefined || !(host === called || isKnownHost(host))) return UNKNOWN_HOST
    if (headers.origin === undefined || isOwnOrigin(headers.origin, headers.host!)) return undefined
    return FOREIGN_ORIGIN
  }

  function checkToken({ headers }: IncomingMessage, origin: Origin, open: boolean): Entry | Refusal {
    const { fromHere, source } = origin
    const text = /^Bearer (\S{1,512})$/i.exec(headers.authorization ?? '')?.[1]
    if (text === undefined && fromHere) {
      return open ? { allowed: true, caller: { kind: 'nobody' } } : NO_TOKEN
    }
    const held = text === undefined ? undefined : identify(text, origin)
    if (held) return held
    // Nobody guesses those: the sessions of a machine that was shut out ask on until they are told so.
    if (text !== undefined && tokens()?.isOver(text)) return fromHere ? WRONG_TOKEN : UNAUTHORIZED
    const wait = throttle.waitOf(source)
    if (wait > 0) return toWait(wait)
    if (!fromHere && !shared && tokens()?.any() === false) return REMOTE_OFF
    if (text === undefined) return UNAUTHORIZED
    if (MACHINE_TOKEN.test(text) && !tokens()) return NOT_YET
    throttle.noteWrong(source)
    return fromHere ? WRONG_TOKEN : UNAUTHORIZED
  }

  /**
   * Whose token this is. Those that the hub made have 256 bits, which nobody guesses: they come in whatever else their
   * address sends. The shared one is a word that a person chose, so it must have come from there before.
   */
  function identify(text: string, { fromHere, source }: Origin): Entry | Refusal | undefined {
    const held = digest(text)
    if (timingSafeEqual(held, local) && fromHere) return { allowed: true, caller: { kind: 'local' } }
    if (shared && timingSafeEqual(held, shared)) {
      const wait = throttle.isTrusted(source) ? 0 : throttle.waitOf(source)
      if (wait > 0) return toWait(wait)
      throttle.noteRight(source)
      return { allowed: true, caller: { kind: 'fleet' } }
    }
    const token = MACHINE_TOKEN.test(text) ? tokens()?.find(text) : undefined
    if (!token) return undefined
    const { id: tokenId, machineId } = token
    return { allowed: true, caller: { kind: 'machine', tokenId, machineId }, token }
  }
}

const MACHINE_TOKEN = /^m_[0-9a-z]{13}\./

const refuse = (status: number, reason: string, told = true): Refusal => ({
  allowed: false,
  status,
  reason,
  told,
})
const UNKNOWN_HOST = refuse(
  421,
  'This hub is not known by that Host: name it in "hosts" in ~/.claude-peers.json on the machine of the hub.',
)
const FOREIGN_ORIGIN = refuse(403, 'Web pages of another origin may not call this hub.')
const NO_TOKEN = refuse(401, 'Send the token of this hub: Authorization: Bearer …')
const WRONG_TOKEN = refuse(
  401,
  'The token is not that of this hub. A local client finds it in ~/.claude-peers/token.',
)
// Who stands before or behind this hub may take the other one.
const AMBIGUOUS = refuse(400, 'A request has one Host and one Authorization.')
const UNAUTHORIZED = refuse(401, 'A request from elsewhere without a right token.', false)
const REMOTE_OFF = refuse(403, 'remote access is off')
const NOT_YET = refuse(503, 'A machine called before the database was open.', false)
const toWait = (retryAfter: number): Refusal => ({
  ...refuse(429, 'Too many wrong tokens from one address.', false),
  retryAfter,
})

/** Whether a header comes twice; node:http keeps the first. */
function hasTwo(rawHeaders: string[], wanted: string): boolean {
  let count = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!
    if (name.length === wanted.length && name.toLowerCase() === wanted) count++
  }
  return count > 1
}

/** Equal lengths for the constant-time compare, whatever was sent. */
const digest = (text: string) => Buffer.from(hash('sha256', text))

/** Another port of the same host is another origin: a web app on localhost:3000 is foreign. */
function isOwnOrigin(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host.toLowerCase()
}
