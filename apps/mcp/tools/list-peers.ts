import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { z } from 'zod'
import { describePeer } from '#frame/peer-text'
import { scope, type Peer, type Scope } from '#router/shapes/peers'
import type { ServerOptions } from '../server.ts'
import { answer, answering } from './answer.ts'
import { seenPeer, toSeenPeer } from './shapes.ts'

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
      },
      outputSchema: { you: seenPeer.nullable(), peers: z.array(seenPeer) },
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ scope }) =>
      answering(link, async () => {
        const { self, peers } = await list(scope)
        const others = peers.filter((peer) => peer.id !== self?.id)
        const now = Date.now()
        return answer(toText(self, others, now), {
          you: self && toSeenPeer(self, now),
          peers: others.map((peer) => toSeenPeer(peer, now)),
        })
      }),
  )

  /** Anybody may ask this; a session that the hub does not know registers first. */
  async function list(scope: Scope) {
    const listed = await link.hub.peers.list.query({ scope })
    if (listed.self) return listed
    await link.renew()
    return link.hub.peers.list.query({ scope })
  }
}

function toText(self: Peer | null, others: Peer[], now: number): string {
  const sessions = Map.groupBy(
    others.filter((peer) => peer.kind === 'session'),
    (peer) => peer.state,
  )
  const people = others.filter((peer) => peer.kind === 'user')
  const group = (title: string, peers: Peer[] = []) =>
    peers.length > 0 ? [title, ...peers.map((peer) => `- ${describePeer(peer, now)}`)] : []
  const lines = [
    self ? `You are ${describePeer(self, now)}` : 'You are not registered yet: try again in a moment.',
    ...group('Online:', sessions.get('online')),
    ...group('Gone (mail waits for them up to 48 hours):', sessions.get('offline')),
    ...group('The person:', people),
  ]
  if (sessions.size === 0) lines.push('No other session is known in this scope.')
  return lines.join('\n')
}
