import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { z } from 'zod'
import { fit } from '#frame/fit'
import { describePeer } from '#frame/peer-text'
import { nearestInput, scope, type Nearest, type Peer } from '#router/shapes/peers'
import type { ServerOptions } from '../server.ts'
import { answer, answering } from './answer.ts'
import { seenPeer, toSeenPeer, toShortPeer } from './shapes.ts'

/** The most that one answer may have room for, with short words. */
const MOST = 100

export function addListPeers(server: McpServer, { link }: ServerOptions): void {
  server.registerTool(
    'list_peers',
    {
      title: 'List peers',
      description:
        "Lists the user's other sessions that you can message: every other Claude, agent or terminal (peer), on this machine and others. Tells of each its address, directory, git branch, what it works on, whether it is busy, idle or gone, waiting mail; and who you are.",
      inputSchema: {
        scope: scope
          .default('network')
          .describe('network: all; machine: this computer; directory: your directory; repo: your repository'),
        search: nearestInput
          .unwrap()
          .shape.search.describe('only who has this in address, directory, branch or work'),
      },
      outputSchema: { you: seenPeer.nullable(), peers: z.array(seenPeer), more: z.string().optional() },
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    (wanted) =>
      answering(link, async () => {
        const { self, peers: found, total } = await list({ ...wanted, limit: MOST })
        const now = Date.now()
        // What is nearest comes first, and what has no room is the farthest.
        const { length } = fit(found.map((peer) => toSeenPeer(peer, now)))
        const shown = found.slice(0, length).toSorted((one, other) => toPlace(one) - toPlace(other))
        const more = toMore(shown, total)
        return answer(toText(self, shown, { more, now }), {
          you: self && toSeenPeer(self, now),
          peers: shown.map((peer) => toSeenPeer(peer, now)),
          ...(more && { more }),
        })
      }),
  )

  /** Anybody may ask this; a session that the hub does not know registers first. */
  async function list(wanted: z.infer<typeof nearestInput>): Promise<Nearest> {
    const listed = await link.hub.peers.nearest.query(wanted)
    if (listed.self) return listed
    await link.renew()
    return link.hub.peers.nearest.query(wanted)
  }
}

const isGone = (peer: Peer) => peer.kind === 'session' && peer.state === 'offline'

/** Who is there, who is gone, the person. */
const toPlace = (peer: Peer) => (peer.kind === 'user' ? 2 : Number(isGone(peer)))

function toMore(shown: Peer[], { online, gone }: Nearest['total']): string | undefined {
  const counts = [
    { count: online - shown.filter((peer) => !isGone(peer)).length, what: 'online' },
    { count: gone - shown.filter(isGone).length, what: 'gone' },
  ].filter(({ count }) => count > 0)
  if (counts.length === 0) return undefined
  const sum = counts.reduce((all, { count }) => all + count, 0)
  const parts = counts.map(({ count, what }) => `${count} ${what}`)
  return `and ${sum} more (${parts.join(', ')}), not listed: narrow the list with scope or search; mail to their names works as well`
}

function toText(
  self: Peer | null,
  others: Peer[],
  { more, now }: { more: string | undefined; now: number },
): string {
  const describe = (peer: Peer) => describePeer(toShortPeer(peer), now)
  const group = (title: string, place: number) => {
    const peers = others.filter((peer) => toPlace(peer) === place)
    return peers.length > 0 ? [title, ...peers.map((peer) => `- ${describe(peer)}`)] : []
  }
  const lines = [
    self ? `You are ${describe(self)}` : 'You are not registered yet: try again in a moment.',
    ...group('Online:', 0),
    ...group('Gone (mail for them is kept until they return):', 1),
    ...group('The person:', 2),
    ...(more ? [`- ${more}`] : []),
  ]
  if (others.every((peer) => peer.kind === 'user') && !more) {
    lines.push('No other session is known in this scope.')
  }
  return lines.join('\n')
}
