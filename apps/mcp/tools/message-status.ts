import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { messageId } from '#router/shapes/common'
import type { ServerOptions } from '../server.ts'
import { answering } from './answer.ts'
import { answerStandings, standings } from './shapes.ts'

export function addMessageStatus(server: McpServer, { link }: ServerOptions): void {
  server.registerTool(
    'message_status',
    {
      title: 'Message status',
      description:
        'Tells whether a message that you sent to another session has arrived, for each recipient: queued (and how it will be reached), on its way, delivered or read (and when), expired.',
      inputSchema: { message_id: messageId.describe('from send_message') },
      outputSchema: standings,
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ message_id }) =>
      answering(link, async () => {
        const { recipients } = await link.hub.messages.status.query({ messageId: message_id })
        return answerStandings(message_id, `Message ${message_id}:`, recipients)
      }),
  )
}
