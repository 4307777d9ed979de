import { Resolver } from 'node:dns/promises'
import { hostname } from 'node:os'
import { isLoopback, isTailscale, toHost } from '#machine/address'

const REVERSE_TIMEOUT_MS = 1_000

export type HostNames = {
  /** Whether the hub is called by this name or address, in its one spelling. */
  isKnown: (host: string) => boolean
  /** The names that reverse DNS tells of an address, which MagicDNS gives to every machine of a Tailscale network. */
  readonly learned: readonly string[]
  /** Asks reverse DNS for them, unless it has told or the address is none of Tailscale's; never rejects. */
  learn(address: string): Promise<void>
}

export type Reverse = (address: string) => Promise<string[]>

/**
 * The names by which the hub may be called: those of this machine, and those given. A name that anybody could point here
 * is none of them (DNS rebinding).
 */
export function createHostNames(given: string[], reverse: Reverse = askReverse): HostNames {
  const own = [hostname(), hostname().split('.')[0]!]
  const known = new Set([...own, ...given].flatMap((name) => toHost(name) ?? []))
  let learned: string[] = []
  return {
    isKnown: (host) => isLoopback(host) || known.has(host) || learned.includes(host),
    get learned() {
      return learned
    },
    async learn(address) {
      if (learned.length > 0 || !isTailscale(address)) return
      const names = await reverse(address).catch(() => [])
      const whole = names.flatMap((name) => toHost(name) ?? [])
      // MagicDNS knows a machine by its first label as well.
      learned = [...whole, ...whole.map((name) => name.split('.')[0]!)]
    },
  }
}

/** Asks the resolver of the system, for a second at most however many servers it has. */
async function askReverse(address: string): Promise<string[]> {
  const resolver = new Resolver({ tries: 1 })
  const impatience = setTimeout(() => resolver.cancel(), REVERSE_TIMEOUT_MS)
  try {
    return await resolver.reverse(address)
  } finally {
    clearTimeout(impatience)
  }
}
