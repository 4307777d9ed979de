import { connect } from '#client/connect'
import type { HubAddress } from '#machine/hub-process'
import { isAlive } from '#machine/processes'
import { until } from './until.ts'

/** How long a hub may take to end that was asked to. */
const PATIENCE_MS = 10_000

/** Asks a hub to stop and waits up to 10 s for its end; `hasEnded` tells whether its process is gone. */
export async function askToStop(endpoint: HubAddress): Promise<{ pid: number; hasEnded: boolean }> {
  const client = connect({ endpoint })
  try {
    const { pid } = await client.hub.hub.stop.mutate({ reason: 'asked' })
    return { pid, hasEnded: (await until(() => !isAlive(pid), PATIENCE_MS)) ?? false }
  } finally {
    await client.close()
  }
}
