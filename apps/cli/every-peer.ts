import type { HubClient } from '#client/connect'
import type { Peer } from '#router/shapes/peers'

/** Every seat that the hub lists, page by page. */
export async function readPeers({ peers }: HubClient['hub']): Promise<Peer[]> {
  const all: Peer[] = []
  let cursor: string | undefined
  do {
    const page = await peers.list.query({ limit: 200, cursor })
    all.push(...page.peers)
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined)
  return all
}
