import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { describePeer, toSafePeer } from '#frame/peer-text'
import { listed, scope, type Peer } from '#router/shapes/peers'
import type { ServerOptions } from '../server.ts'
import { answer, answering } from './answer.ts'

export function addListPeers(server: McpServer, { link }: ServerOptions): void {
  server.registerTool(
    'list_peers',
    {
      title: 'List peers',
      description:
        "Lists the person's other coding-agent sessions (peers) that you can message: address, directory, git branch, what each works on, online or offline, waiting mail. Also says who you are.",
      inputSchema: {
        scope: scope
          .default('network')
          .describe('network: all; machine: this computer; directory: your directory; repo: your repository'),
      },
      outputSchema: { you: listed.shape.self, peers: listed.shape.peers },
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ scope }) =>
      answering(link, async () => {
        const { self, peers } = await link.hub.peers.list.query({ scope })
        const others = peers.filter((peer) => peer.id !== self?.id)
        return answer(toText(self, others), {
          you: self && toSafePeer(self),
          peers: others.map(toSafePeer),
        })
      }),
  )
}

function toText(self: Peer | null, others: Peer[]): string {
  const now = Date.now()
  const group = (title: string, peers: Peer[]) =>
    peers.length > 0 ? [title, ...peers.map((peer) => `- ${describePeer(peer, now)}`)] : []
  const lines = [
    self ? `You are ${describePeer(self, now)}` : 'You are not registered yet.',
    ...group(
      'Online:',
      others.filter((peer) => peer.state === 'online'),
    ),
    ...group(
      'Offline (mail waits for them up to 48 hours):',
      others.filter((peer) => peer.state === 'offline'),
    ),
  ]
  if (others.length === 0) lines.push('No other session is known in this scope.')
  return lines.join('\n')
}
