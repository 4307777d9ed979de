/**
 * Where a request comes from, as far as the hub can know. "From this machine" is what the local token and the open
 * health need, so it is told by three things together: the address of the connection, no sign of a proxy (one on this
 * machine, such as `tailscale serve`, passes on what others ask), and a Host that means this machine alone.
 */
import type { IncomingMessage } from 'node:http'
import { isIPv6, type Socket } from 'node:net'
import { isLoopback, isTailscale, toHost } from '#machine/address'
import { remember } from './remember.ts'

export type Origin = {
  /** The host name of the Host header, in its one spelling; `undefined` when it is none. */
  host: string | undefined
  /** The address of this machine that was called. */
  called: string
  /** Whom to count it for: an address, or the network of an IPv6 address. */
  source: string
  /** It came straight from this machine, whatever Host it names. */
  near: boolean
  /** It is of this machine and of no other. */
  fromHere: boolean
}

/** Tells where a request comes from. */
export function readOrigin({ socket, headers }: Pick<IncomingMessage, 'socket' | 'headers'>): Origin {
  const called = toAddress(socket.localAddress)
  const from = toAddress(socket.remoteAddress)
  const host = toHostName(headers.host)
  const proxied = isProxied(headers)
  const near = !proxied && (isLoopback(from) || (from !== '' && from === called))
  return {
    host,
    called,
    source: proxied ? `${toSource(socket)} (through a proxy)` : toSource(socket),
    near,
    fromHere: near && host !== undefined && (isLoopback(host) || host === called),
  }
}

/**
 * Whom a connection is counted for. Whoever has one IPv6 address has its whole /64; in a Tailscale network, which is one
 * such network for all of its machines, it is the address.
 */
export const toSource = ({ remoteAddress }: Pick<Socket, 'remoteAddress'>): string =>
  sourceOf(toAddress(remoteAddress))

const sourceOf = remember((address) => {
  if (!isIPv6(address) || isTailscale(address) || isLoopback(address)) return address || 'unknown'
  return `${toGroups(address).slice(0, 4).join(':')}::/64`
})

/** Whether a connection comes from this machine. */
export function isNear({
  remoteAddress,
  localAddress,
}: Pick<Socket, 'remoteAddress' | 'localAddress'>): boolean {
  const from = toAddress(remoteAddress)
  return isLoopback(from) || (from !== '' && from === toAddress(localAddress))
}

/** What proxies add: RFC 7239, what came before it, and Tailscale's identity headers (tailscale.com/kb/1312). */
const OF_PROXIES = /^(forwarded|via|x-forwarded-.*|x-real-ip|tailscale-.*)$/

function isProxied(headers: IncomingMessage['headers']): boolean {
  for (const name in headers) if (OF_PROXIES.test(name)) return true
  return false
}

/** An address of a socket in its one spelling; where one socket serves both, IPv4 comes within IPv6. */
const toAddress = remember((address) => {
  const bare = address.replace(/^::ffff:(?=[\d.]+$)/i, '').replace(/%.*$/, '')
  return toHost(bare) ?? ''
})

const toHostName = remember((header) => {
  const [, name, port = '0'] = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?$/i.exec(header) ?? []
  return name !== undefined && Number(port) <= 65_535 ? toHost(name) : undefined
})

/** The eight groups of an IPv6 address. */
function toGroups(address: string): string[] {
  const [head = '', tail] = address.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail ? tail.split(':') : []
  if (tail === undefined) return before
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => '0'), ...after]
}
