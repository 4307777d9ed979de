import { createDrain } from '#client/drain'
import type { EndpointSource } from '#client/endpoint'
import { createSpeakers } from '#client/speakers'
import type { Config } from '#machine/config'
import { HubSilentError } from '#machine/hub-unavailable'
import { toSilent } from '#machine/remote-hub'
import { openSpoolOf } from '#machine/spool'

/** How long a command sends what waits before it does its own work, in ms; the rest goes with the next. */
const DRAIN_MS = 5_000

/**
 * Sends what waits on this computer for a remote hub, and asks the hub for nothing when nothing waits. Rejects with
 * HubSilentError when the hub is away: nobody has to find that out again.
 */
export async function sendWaiting(config: Config, locate: EndpointSource): Promise<void> {
  const spool = openSpoolOf(config)
  if (!config.remote || spool.list().length === 0) return
  const endpoint = async () => locate({ fresh: false })
  const speakerOf = createSpeakers({ config, locate: endpoint, self: () => undefined })
  const signal = AbortSignal.timeout(DRAIN_MS)
  const drained = await createDrain({ spool, hub: config.brokerUrl, speakerOf, signal })()
  if (drained === 'away') throw new HubSilentError(toSilent(config.brokerUrl))
}
