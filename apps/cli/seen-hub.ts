import { connect, type HubClient } from '#client/connect'
import type { Config } from '#machine/config'
import { processOf } from '#machine/hub-identity'
import { findHub, type HubAddress } from '#machine/hub-process'
import { isIdentical, toIdentity } from '#machine/processes'
import type { Stats } from '#router/shapes/hub'

/** The hub as it proved itself, its figures, and whatever else it was asked for; all of one process. */
export type SeenHub<T> = { found: HubAddress; stats: Stats; rest: T }

const MOST_LOOKS = 5

/**
 * Asks the hub that answers now; starts none. A hub of this machine may be another between its proof and its figures:
 * then both are asked for again. `undefined` when none answers.
 */
export async function seeHub<T>(
  config: Config,
  ask: (hub: HubClient['hub'], found: HubAddress) => Promise<T>,
): Promise<SeenHub<T> | undefined> {
  for (let look = 1; ; look++) {
    const found = await findHub(config)
    if (!found) return undefined
    const client = connect({ endpoint: found })
    try {
      const [stats, rest] = await Promise.all([client.hub.hub.stats.query(), ask(client.hub, found)])
      const proven = processOf(found)
      if (!proven || isIdentical(proven, toIdentity(stats)) || look === MOST_LOOKS)
        return { found, stats, rest }
    } finally {
      await client.close()
    }
  }
}
