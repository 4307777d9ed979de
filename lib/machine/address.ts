/** Addresses as people write them: one spelling for each, and what kind it is. */
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'

/**
 * A host of a URL, an address or a name in its one spelling: lower case, IPv4 as four numbers, IPv6 shortened and
 * without brackets, names without the last dot of a MagicDNS name. `undefined` for what is none, as with a port or a path.
 */
export function toHost(text: string): string | undefined {
  const bare = /^\[(.*)\]$/.exec(text)?.[1] ?? text
  const name = bare.includes(':') ? `[${bare}]` : bare
  // A URL would take these as its own signs.
  if (/[\s/\\?#@%*]/.test(name) || /\]./.test(name) || name === '') return undefined
  if (!URL.canParse(`http://${name}`)) return undefined
  const host = toBareHost(new URL(`http://${name}`))
  return isIP(host) > 0 || NAME.test(host) ? host : undefined
}

const NAME = /^[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/

/** The host of a URL in that spelling. */
export function toBareHost({ hostname }: URL): string {
  return hostname.replaceAll(/^\[|\]$/g, '').replace(/\.$/, '')
}

/** A host as it stands in a URL: IPv6 in brackets. */
export const toUrlHost = (host: string): string => (host.includes(':') ? `[${host}]` : host)

/** Whether a host in its one spelling is this machine and nothing else. */
export function isLoopback(host: string): boolean {
  return (
    host === 'localhost' ||
    host === '::1' ||
    /^127(\.\d+){3}$/.test(host) ||
    /^::ffff:7f[0-9a-f]{2}:/.test(host)
  )
}

/** Whether a host in its one spelling is every address of this machine: `0.0.0.0`, `::`, and IPv4's within IPv6. */
export const isWildcard = (host: string): boolean => ['0.0.0.0', '::', '::ffff:0:0'].includes(host)

/** Whether it is an address of a Tailscale network: 100.64.0.0/10 or fd7a:115c:a1e0::/48 (tailscale.com/kb/1015, kb/1033). */
export function isTailscale(host: string): boolean {
  const [first, second] = host.split('.').map(Number)
  if (isIP(host) === 4) return first === 100 && second! >= 64 && second! < 128
  return isIP(host) === 6 && host.startsWith('fd7a:115c:a1e0:')
}

/** The addresses of this machine's interfaces, in their one spelling and without loopback. */
export function ownAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .filter((entry) => !entry.internal)
    .flatMap((entry) => toHost(entry.address) ?? [])
}
