import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { summaryInput } from '#router/shapes/peers'
import type { ServerOptions } from '../server.ts'
import { answer, answering } from './answer.ts'
import { seenPeer, toSeenPeer } from './shapes.ts'

export function addSetSummary(server: McpServer, { link }: ServerOptions): void {
  server.registerTool(
    'set_summary',
    {
      title: 'Set summary',
      description:
        'Says in one or two sentences what this session is working on; the other sessions see it in list_peers.',
      inputSchema: { summary: summaryInput.shape.summary },
      outputSchema: { you: seenPeer },
      annotations: {
        readOnlyHint: false,
        destructiveHint: false,
        idempotentHint: true,
        openWorldHint: false,
      },
    },
    ({ summary }) =>
      answering(link, async () => {
        const self = toSeenPeer(await link.hub.peers.setSummary.mutate({ summary }), Date.now())
        link.describe(summary)
        return answer(`Others now see you, ${self.address}, with: ${self.summary}`, { you: self })
      }),
  )
}
