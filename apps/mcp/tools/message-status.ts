import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { z } from 'zod'
import { describeSteps } from '#frame/receipt-text'
import { messageId } from '#router/shapes/common'
import type { Receipt } from '#router/shapes/messages'
import type { ServerOptions } from '../server.ts'
import { answer, answering } from './answer.ts'
import { fitReceipts, standing, standings, toList, toStanding } from './shapes.ts'

/** As data, what the model needs to decide by; `steps` has the times, `detail` says what comes next. */
const ladder = standing.extend({ queued_again: z.boolean(), steps: z.string() })

export function addMessageStatus(server: McpServer, { link, outbox }: ServerOptions): void {
  server.registerTool(
    'message_status',
    {
      title: 'Message status',
      description:
        'Tells whether a message that you sent to another session has arrived, for each recipient: queued (and how it will be reached), on its way, delivered (handed to its client), read (its model went on with it), queued again (handed over, but its reader did not get to it), expired or retracted; when, and which message answers it.',
      inputSchema: { message_id: messageId.describe('from send_message') },
      outputSchema: { ...standings, recipients: z.array(ladder), kept: z.string().optional() },
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ message_id }) =>
      answering(link, async () => {
        const found = await link.hub.messages.status.query({ messageId: message_id })
        const now = Date.now()
        const { shown: recipients, more } = fitReceipts(found.recipients, (one) => toLadder(one, now))
        const told = recipients.map((one) => ({ ...one, detail: `${one.detail} (${one.steps})` }))
        const kept = await describeOthers()
        return answer([toList(`Message ${message_id}:`, told, more), ...kept].join('\n'), {
          message_id,
          recipients,
          ...(more && { more }),
          ...(kept.length > 0 && { kept: kept.join() }),
        })
      }),
  )

  /** Newer ones that have no number yet, so that nobody takes this one for them. */
  async function describeOthers(): Promise<string[]> {
    const { length } = await outbox.waiting()
    if (length === 0) return []
    return [
      `${length} newer ${length === 1 ? 'message' : 'messages'} of yours ${length === 1 ? 'has' : 'have'} no number yet: kept on this computer until the hub answers (check_messages with show "sent").`,
    ]
  }
}

function toLadder(given: Receipt, now: number): z.infer<typeof ladder> {
  return {
    ...toStanding(given, now),
    queued_again: given.requeuedAt !== null,
    steps: describeSteps(given, now),
  }
}
