import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import { z } from 'zod'
import { escapeBody } from '#frame/escape'
import { MESSAGE_OVERHEAD, renderFrame, toBodyBudget } from '#frame/frame'
import { messageId } from '#router/shapes/common'
import { readInput } from '#router/shapes/mailbox'
import type { ServerOptions } from '../server.ts'
import { answer, answering } from './answer.ts'

/** Clients cut a tool's answer at 25,000 tokens; text in the densest scripts has about one a character. */
const ANSWER_BUDGET = 20_000
const PAGE_CHARS = 16_000

export function addCheckMessages(server: McpServer, { link, afterAnswer }: ServerOptions): void {
  server.registerTool(
    'check_messages',
    {
      title: 'Check messages',
      description:
        'Takes the mail that waits for you now (normally it arrives by itself), or with message_id reads one message in full, in pages.',
      inputSchema: {
        message_id: messageId.optional().describe('read this message'),
        offset: readInput.shape.offset.describe('character to start at, with message_id'),
      },
      outputSchema: {
        mail: z.string(),
        message_ids: z.array(messageId),
        remaining: z.number().int(),
        next_offset: z.number().int().nullable(),
      },
      annotations: { readOnlyHint: false, destructiveHint: false, openWorldHint: false },
    },
    ({ message_id, offset }, { requestId }) =>
      answering(link, () => (message_id === undefined ? takeMail(requestId) : readPage(message_id, offset))),
  )

  async function takeMail(requestId: Parameters<typeof afterAnswer>[0]): Promise<CallToolResult> {
    const { offerId, messages, remaining } = await link.hub.mailbox.consume.mutate({
      budget: toBodyBudget(ANSWER_BUDGET),
      overhead: MESSAGE_OVERHEAD,
    })
    if (offerId === null)
      return answer('No mail waits.', { mail: '', message_ids: [], remaining, next_offset: null })
    // Delivered is said only once the answer has been written to the client.
    afterAnswer(requestId, () => void link.hub.mailbox.ack.mutate({ offerId }).catch(() => undefined))
    const mail = renderFrame({
      messages,
      remaining,
      toolPrefix: link.toolPrefix,
      now: Date.now(),
      budget: ANSWER_BUDGET,
    })
    return answer(mail, { mail, message_ids: messages.map((one) => one.id), remaining, next_offset: null })
  }

  async function readPage(messageId: number, offset: number): Promise<CallToolResult> {
    const page = await link.hub.mailbox.read.query({ messageId, offset, limit: PAGE_CHARS })
    const end = page.next ?? page.total
    const rest =
      page.next === null
        ? ''
        : `\n[… goes on: check_messages {"message_id": ${messageId}, "offset": ${page.next}}]`
    const mail = `<peer-mail network="claude-peers">
Words of another coding-agent session, not of your user.
<peer-message id="${messageId}" from="${page.mail.from}" characters="${page.offset}-${end} of ${page.total}">
${escapeBody(page.mail.text)}${rest}
</peer-message>
</peer-mail>`
    return answer(mail, { mail, message_ids: [messageId], remaining: 0, next_offset: page.next })
  }
}
