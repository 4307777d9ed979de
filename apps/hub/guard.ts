/**
 * The door. It decides from the request line and headers alone, before any body is read and before tRPC sees the
 * request, for HTTP and for WebSocket upgrades alike: a web page can reach a loopback port, so the Host must be one
 * of ours (DNS rebinding), no Origin may be foreign (a browser always sends one on a WebSocket), and the token must
 * be right.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Caller } from '#router/context'

export type GuardOptions = {
  /** The token of this machine's user. */
  localToken: string
  /** A token shared by a fleet, if one is configured. */
  sharedToken: string | undefined
  /** The live token of a machine that has this text. */
  findToken: (text: string) => { id: string; machineId: string | null } | undefined
  /** Host names and addresses the hub is known by, lower case, without port; IPv6 in brackets. */
  hosts: string[]
}

export type Verdict = { allowed: true; caller: Caller } | { allowed: false; status: number; reason: string }

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']

/** Makes the check of every request; it keeps no state. */
export function createGuard({ localToken, sharedToken, findToken, hosts }: GuardOptions) {
  const allowed = new Set([...LOOPBACK, ...hosts])
  const local = digest(localToken)
  const shared = sharedToken ? digest(sharedToken) : undefined

  return function check(request: IncomingMessage, options: { open: boolean }): Verdict {
    const host = toHostName(request.headers.host)
    if (host === undefined || !allowed.has(host)) return refuse(421, 'This hub is not known by that Host.')
    const { origin } = request.headers
    if (origin !== undefined && !isOwnOrigin(origin, request.headers.host!)) {
      return refuse(403, 'Web pages of another origin may not call this hub.')
    }
    const token = /^Bearer (\S{1,512})$/i.exec(request.headers.authorization ?? '')?.[1]
    if (token === undefined) {
      return options.open
        ? { allowed: true, caller: { kind: 'nobody' } }
        : refuse(401, 'Send the token of this hub: Authorization: Bearer …')
    }
    const hash = digest(token)
    if (timingSafeEqual(hash, local)) return { allowed: true, caller: { kind: 'local' } }
    if (shared && timingSafeEqual(hash, shared)) return { allowed: true, caller: { kind: 'fleet' } }
    const machine = findToken(token)
    if (machine) {
      const { id: tokenId, machineId } = machine
      return { allowed: true, caller: { kind: 'machine', tokenId, machineId } }
    }
    return refuse(401, 'The token is not that of this hub. A local client finds it in ~/.claude-peers/token.')
  }
}

const refuse = (status: number, reason: string): Verdict => ({ allowed: false, status, reason })
/** Equal lengths for the constant-time compare, whatever was sent. */
const digest = (text: string) => createHash('sha256').update(text).digest()

function toHostName(header: string | undefined): string | undefined {
  const [, name, port = '0'] = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::(\d{1,5}))?$/i.exec(header ?? '') ?? []
  return Number(port) <= 65_535 ? name?.toLowerCase() : undefined
}

/** Another port of the same host is another origin: a web app on localhost:3000 is foreign. */
function isOwnOrigin(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host.toLowerCase()
}
