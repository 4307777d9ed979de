import { connect } from '#client/connect'
import { processOf } from '#machine/hub-identity'
import type { Config } from '#machine/config'
import { askLocal, type HubAddress } from '#machine/hub-process'
import { canSee, isIdentical, isKnownToRun, type ProcessIdentity } from '#machine/processes'
import { until } from './until.ts'

/** How long a hub may take to end that was asked to. */
const PATIENCE_MS = 10_000

/**
 * Asks the very process that proved itself to stop, and no other that has its port by now. Waits up to 10 s for its end;
 * `hasEnded` tells whether it is gone. One that cannot be seen from here is gone when it answers no more.
 */
export async function askToStop(
  config: Config,
  endpoint: HubAddress,
): Promise<ProcessIdentity & { hasEnded: boolean }> {
  const client = connect({ endpoint })
  try {
    const process = processOf(endpoint)
    const ending = await client.hub.hub.stop.mutate({ reason: 'asked', process })
    const answers = async () => isIdentical(processOf((await askLocal(config, endpoint.url)) ?? {}), ending)
    const isGone = async () => !(canSee(ending) ? isKnownToRun(ending) : await answers())
    const hasEnded = await until(isGone, PATIENCE_MS)
    return { ...ending, hasEnded: hasEnded ?? false }
  } finally {
    await client.close()
  }
}
