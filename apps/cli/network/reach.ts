import { hostname } from 'node:os'
import { isLoopback, isTailscale, ownAddresses, toBareHost } from '#machine/address'
import type { Config } from '#machine/config'
import { ANY, VARIABLE, type Setting, type Settings } from '#machine/settings'
import { UsageError } from '../exit.ts'
import { toSetting } from './usage.ts'

/** What was typed: the URL by which others reach the hub, the address that it is to listen on. */
export type ReachOptions = { url?: string | undefined; bind?: string | undefined }

/** The settings that must change so that other machines reach the hub; none when they do already. */
export function toReachable(config: Config, options: ReachOptions): Pick<Settings, 'bind' | 'hosts'> {
  const url = options.url && toSetting('broker_url', options.url, '--url')
  const bind = options.bind === undefined ? undefined : checkBind(options.bind, { needed: !url })
  const wanted = bind ?? (url || !isLoopback(config.bind) ? config.bind : findAddress(config))
  const changes = {
    ...(wanted !== config.bind && { bind: wanted }),
    ...(url && !isKnown(config, wanted, url) && { hosts: [...config.hosts, toBareHost(new URL(url))] }),
  }
  for (const setting of Object.keys(changes) as Setting[]) refuseVariable(config, setting)
  return changes
}

/** Where people find what may be written there. */
const NEXT = `name one with --bind <address> (it is written to ~/.claude-peers.json), or put a TLS proxy in front of the hub and give its address with --url`

function findAddress({ bind }: Config): string {
  const found = ownAddresses().filter((address) => isTailscale(address) && !address.includes(':'))
  if (found.length === 1) return found[0]!
  const why =
    found.length === 0
      ? 'this machine has no Tailscale address'
      : `this machine has several Tailscale addresses (${found.join(', ')})`
  throw new Error(`The hub listens on ${bind} alone, where no other machine reaches it, and ${why}: ${NEXT}.`)
}

function checkBind(typed: string, { needed }: { needed: boolean }): string {
  const bind = toSetting('bind', typed, '--bind')
  if (isLoopback(bind) && needed)
    throw new UsageError(`--bind: no other machine reaches ${bind}; use an address of the private network.`)
  const own = ownAddresses()
  if (!/^[\d.]+$|:/.test(bind) || bind === ANY || isLoopback(bind) || own.includes(bind)) return bind
  throw new UsageError(
    `--bind: this machine has no address ${bind} now. It has ${own.join(', ') || 'none but loopback'}.`,
  )
}

/** Whether the hub's guard knows the name in a URL. */
function isKnown({ host, hosts }: Config, bind: string, url: string): boolean {
  const machine = hostname().toLowerCase()
  const name = toBareHost(new URL(url))
  return (
    isLoopback(name) || [bind, host.toLowerCase(), machine, machine.split('.')[0], ...hosts].includes(name)
  )
}

/** What is written to the file has no effect where a variable wins over it. */
function refuseVariable({ origins }: Config, setting: Setting) {
  if (origins[setting] !== 'environment') return
  throw new Error(
    `${VARIABLE[setting]} is set here and wins over ~/.claude-peers.json: change or unset that variable, for the hub as well.`,
  )
}
