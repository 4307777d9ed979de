import { connect } from '#client/connect'
import { processOf } from '#machine/hub-identity'
import type { HubAddress } from '#machine/hub-process'
import { isSameProcess, type ProcessIdentity } from '#machine/processes'
import { until } from './until.ts'

/** How long a hub may take to end that was asked to. */
const PATIENCE_MS = 10_000

/**
 * Asks the very process that proved itself to stop, and no other that has its port by now. Waits up to 10 s for its end;
 * `hasEnded` tells whether it is gone.
 */
export async function askToStop(endpoint: HubAddress): Promise<ProcessIdentity & { hasEnded: boolean }> {
  const client = connect({ endpoint })
  try {
    const process = processOf(endpoint)
    const ending = await client.hub.hub.stop.mutate({ reason: 'asked', process })
    const hasEnded = await until(() => !isSameProcess(ending.pid, ending.start), PATIENCE_MS)
    return { ...ending, hasEnded: hasEnded ?? false }
  } finally {
    await client.close()
  }
}
