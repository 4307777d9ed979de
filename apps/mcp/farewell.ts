import { connect } from '#client/connect'
import type { Card } from '#machine/cards'
import type { HubAddress } from '#machine/hub-process'

/** A new session waits this long for it at most. */
const FAREWELL_MS = 1_000

/**
 * Says goodbye for sessions of this machine that were killed, with the keys in their cards. The hub of another machine
 * cannot see that their processes have ended: it would hold their seats for its grace, and the next session in the
 * same place would get another name, without the mail. A seat that has a new holder has another key. What fails is
 * left to the grace.
 */
export async function sayFarewell(ended: Card[], hub: HubAddress): Promise<void> {
  const own = ended.filter((card) => card.hubUrl === hub.url)
  await Promise.allSettled(own.map((card) => leaveAs(card, hub)))
}

async function leaveAs({ key }: Card, hub: HubAddress) {
  const client = connect({ endpoint: { ...hub, key }, timeoutMs: FAREWELL_MS })
  try {
    await client.hub.peers.leave.mutate()
  } finally {
    await client.close()
  }
}
