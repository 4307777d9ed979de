/** The checks of one network over several machines: from this machine to its hub, and from others to this one. */
import { isLoopback } from '#machine/address'
import type { Config } from '#machine/config'
import { askRemote } from '#machine/remote-hub'
import type { Stats } from '#router/shapes/hub'
import { ok, toFix, type Line } from './line.ts'

const TIMEOUT_MS = 2_000
/** Ages and times are told by the hub's clock; below a minute nobody sees the difference. */
const SKEW_MS = 60_000

/** What a machine is in the network, and whether that works; nothing where it is alone. */
export async function checkNetwork(config: Config, { reach }: Stats): Promise<Line[]> {
  if (config.remote) return [checkMembership(config), ...(await checkClock(config))]
  if (isLoopback(config.bind)) return []
  const about = 'network'
  if (reach.trouble !== null) return [toFix(about, reach.trouble)]
  if (reach.urls.length > 0) return [ok(about, `other machines reach the hub at ${reach.urls.join(', ')}`)]
  return [
    toFix(
      about,
      `the hub was started before "bind" was ${config.bind}, and no other machine reaches it.`,
      'claude-peers stop',
    ),
  ]
}

function checkMembership({ host, token }: Config): Line {
  const kind = token?.startsWith('m_') ? 'a token of its own' : 'the shared token'
  return ok('network', `this machine is ${host}, with ${kind}`)
}

async function checkClock({ brokerUrl: url, token = '' }: Config): Promise<Line[]> {
  const look = await askRemote({ url, token }, TIMEOUT_MS)
  if (look.kind || look.skewMs === undefined) return []
  const minutes = Math.round(Math.abs(look.skewMs) / 60_000)
  if (Math.abs(look.skewMs) < SKEW_MS) return [ok('clock', 'as that of the hub, to a minute')]
  const side = look.skewMs > 0 ? 'behind' : 'ahead of'
  const says = `this machine's is ${minutes} min ${side} that of the hub: times and ages are told wrong. Set whichever is off.`
  return [toFix('clock', says)]
}
