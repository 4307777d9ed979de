import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { z } from 'zod'
import { describePeer } from '#frame/peer-text'
import { scope, type Peer, type Scope } from '#router/shapes/peers'
import type { ServerOptions } from '../server.ts'
import { answer, answering } from './answer.ts'
import { seenPeer, toSeenPeer } from './shapes.ts'

/** Of those that are gone, the newest that are told of: a tool's answer is cut at 25,000 tokens. */
const MOST_GONE = 40

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
      outputSchema: { you: seenPeer.nullable(), peers: z.array(seenPeer), more_gone: z.number().int() },
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ scope }) =>
      answering(link, async () => {
        const { self, peers } = await list(scope)
        const others = peers.filter((peer) => peer.id !== self?.id)
        const here = others.filter((peer) => !isGone(peer))
        const gone = others.filter(isGone).toSorted((one, other) => other.seenAt - one.seenAt)
        const shown = [...here, ...gone.slice(0, MOST_GONE)]
        const more = gone.length + here.length - shown.length
        const now = Date.now()
        return answer(toText(self, shown, { more, now }), {
          you: self && toSeenPeer(self, now),
          peers: shown.map((peer) => toSeenPeer(peer, now)),
          more_gone: more,
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

const isGone = (peer: Peer) => peer.kind === 'session' && peer.state === 'offline'

function toText(self: Peer | null, others: Peer[], { more, now }: { more: number; now: number }): string {
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
    ...group('Gone (mail for them is kept until they return):', sessions.get('offline')),
    ...(more > 0 ? [`- and ${more} more gone, not listed; mail to their names works as well`] : []),
    ...group('The person:', people),
  ]
  if (sessions.size === 0) lines.push('No other session is known in this scope.')
  return lines.join('\n')
}
