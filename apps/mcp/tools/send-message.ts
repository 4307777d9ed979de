import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { z } from 'zod'
import { describeSent } from '#frame/answer-text'
import { describeKept } from '#frame/kept-text'
import { messageId } from '#router/shapes/common'
import { explainSize, sendInput } from '#router/shapes/messages'
import type { ServerOptions } from '../server.ts'
import { answer, explaining } from './answer.ts'
import { answerStandings, standings } from './shapes.ts'
import { createUnsettled } from './unsettled.ts'

export function addSendMessage(server: McpServer, { outbox }: ServerOptions): void {
  const settle = createUnsettled()
  server.registerTool(
    'send_message',
    {
      title: 'Send a message to a peer',
      description:
        "Sends a message to another session (another Claude, agent, terminal or project: a peer) by name, such as 'api' or 'api@laptop', or to all: to ask, tell, hand over or reply. It is stored at once and reaches the peer while it works, when its turn ends, by waking it when it is idle (where that is possible), or when it comes back. Returns message_id and how each recipient will be reached. Write it so that it stands alone: the peer does not see your conversation.",
      inputSchema: {
        to: z
          .union(sendInput.shape.to.options, { error: 'use an address from list_peers, or a list of them' })
          .describe(
            'address from list_peers, or several (50 at most); "all": every other session that runs in scope',
          ),
        scope: sendInput.shape.scope.describe(
          'where "all" is: your machine (default), directory or repository',
        ),
        message: sendInput.shape.message.describe('what to say; 64 KiB at most'),
        reply_to: messageId.optional().describe('id of the message this answers'),
        expects_reply_within: sendInput.shape.expectsReplyWithin.describe(
          'minutes to wait for a reply: it is mailed to you, or a note that none came',
        ),
        urgency: sendInput.shape.urgency.describe(
          'normal: the peer gets it before its turn can end; fyi: with its next tool call or prompt, needs no answer',
        ),
      },
      outputSchema: { ...standings, message_id: messageId.nullable(), detail: z.string().optional() },
      annotations: {
        readOnlyHint: false,
        destructiveHint: false,
        idempotentHint: false,
        openWorldHint: false,
      },
    },
    ({ to, scope, message, reply_to: replyTo, urgency, expects_reply_within: expectsReplyWithin }) =>
      explaining(async () => {
        const trouble = explainSize(message)
        if (trouble !== undefined) throw new Error(trouble)
        const draft = { to, scope, message, replyTo, urgency, expectsReplyWithin }
        const sent = await settle(draft, (idempotencyKey) => outbox.send({ ...draft, idempotencyKey }))
        if ('kept' in sent) {
          const detail = describeKept(sent.kept, sent)
          return answer(detail, { message_id: null, recipients: [], detail })
        }
        const told = answerStandings(sent.messageId, describeSent(sent), sent.recipients)
        if (sent.worktrees.length === 0) return told
        return { ...told, structuredContent: { ...told.structuredContent, detail: describeSent(sent) } }
      }),
  )
}
