import { connect } from '#client/connect'
import { findHub } from '#machine/hub-process'
import type { Config } from '#machine/config'
import { readPeers } from '../every-peer.ts'
import type { Peer } from '#router/shapes/peers'

/** How many messages wait at a hub that answers now, for seats that `isMeant`; none where no hub answers. */
export async function countWaiting(config: Config, isMeant: (peer: Peer) => boolean): Promise<number> {
  const found = await findHub(config)
  if (!found) return 0
  const client = connect({ endpoint: found })
  try {
    const peers = await readPeers(client.hub)
    return peers.filter(isMeant).reduce((sum, peer) => sum + peer.waiting, 0)
  } catch {
    // What waits is only mentioned: a hub that cannot tell is no reason to fail.
    return 0
  } finally {
    await client.close()
  }
}

/** `1 message waits`, `3 messages wait`. */
export const toWaiting = (count: number): string =>
  `${count} ${count === 1 ? 'message waits' : 'messages wait'}`
