import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { describeReceipt } from '#frame/receipt-text'
import { messageId } from '#router/shapes/common'
import { messageStatus } from '#router/shapes/messages'
import type { ServerOptions } from '../server.ts'
import { answer, answering } from './answer.ts'

export function addMessageStatus(server: McpServer, { link }: ServerOptions): void {
  server.registerTool(
    'message_status',
    {
      title: 'Message status',
      description:
        'Tells whether a message that you sent to another session has arrived, for each recipient: queued (and how it will be reached), on its way, delivered or read (and when), expired.',
      inputSchema: { message_id: messageId.describe('from send_message') },
      outputSchema: { message_id: messageId, recipients: messageStatus.shape.recipients },
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ message_id }) =>
      answering(link, async () => {
        const { recipients } = await link.hub.messages.status.query({ messageId: message_id })
        const now = Date.now()
        const lines = recipients.map((receipt) => `- ${receipt.to}: ${describeReceipt(receipt, now)}`)
        return answer([`Message ${message_id}:`, ...lines].join('\n'), { message_id, recipients })
      }),
  )
}
