import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import type { CallToolResult, RequestId } from '@modelcontextprotocol/sdk/types.js'
import { z } from 'zod'
import { MESSAGE_OVERHEAD, renderFrame, toBodyBudget } from '#frame/frame'
import { describeWaiting } from '#frame/kept-text'
import { renderPage } from '#frame/page'
import { describeThreads, MOST_LINES } from '#frame/thread-text'
import { messageId } from '#router/shapes/common'
import { readInput } from '#router/shapes/mailbox'
import { threadsInput } from '#router/shapes/messages'
import type { ServerOptions } from '../server.ts'
import { answer, answering } from './answer.ts'

/** Clients cut a tool's answer at 25,000 tokens; text in the densest scripts has about one a character. */
const ANSWER_BUDGET = 20_000
const PAGE_CHARS = 16_000

export function addCheckMessages(server: McpServer, { link, outbox, afterAnswer }: ServerOptions): void {
  server.registerTool(
    'check_messages',
    {
      title: 'Check messages',
      description:
        'Checks the inbox of this session: takes the mail from other sessions that waits now (normally messages arrive by themselves, so do not poll); or with message_id reads one message in full, in pages; or lists what you sent, or what is unanswered.',
      inputSchema: {
        show: z
          .enum(['inbox', ...threadsInput.shape.show.options])
          .default('inbox')
          .describe(
            'sent: your last messages and where they stand; unanswered: what you have no reply to, and others none of you',
          ),
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
    ({ show, message_id, offset }, { requestId }) =>
      message_id === undefined && show === 'sent'
        ? listSent()
        : answering(link, () => {
            if (message_id !== undefined) return readPage(message_id, offset)
            return show === 'inbox' ? takeMail(requestId) : list(show)
          }),
  )

  /** What waits on this computer is known here, whatever the hub says of the rest. */
  async function listSent(): Promise<CallToolResult> {
    const kept = await outbox.waiting().catch(() => [])
    const result = await answering(link, () => list('sent'))
    if (kept.length === 0) return result
    const rest = result.content.map((part) => (part.type === 'text' ? part.text : '')).join('\n')
    const mail = [KEPT, ...describeWaiting(kept, Date.now()), rest].join('\n')
    const { message_ids = [] } = result.structuredContent ?? {}
    return answer(mail, { mail, message_ids, remaining: 0, next_offset: null })
  }

  async function list(show: 'sent' | 'unanswered'): Promise<CallToolResult> {
    const threads = await link.hub.messages.threads.query({ show, limit: MOST_LINES + 1 })
    const { text: mail, messageIds } = describeThreads(threads, show, Date.now())
    return answer(mail, { mail, message_ids: messageIds, remaining: 0, next_offset: null })
  }

  async function takeMail(requestId: RequestId): Promise<CallToolResult> {
    const { offerId, messages, remaining } = await link.hub.mailbox.consume.mutate({
      budget: toBodyBudget(ANSWER_BUDGET),
      overhead: MESSAGE_OVERHEAD,
    })
    if (offerId === null) {
      const mail = toNothing(remaining)
      return answer(mail, { mail, message_ids: [], remaining, next_offset: null })
    }
    const { toolPrefix } = link
    const frame = { messages, remaining, toolPrefix, now: Date.now(), budget: ANSWER_BUDGET }
    const { text: mail, unshown } = renderFrame(frame)
    // Delivered is said only once the answer has been written to the client.
    afterAnswer(
      requestId,
      () => void link.hub.mailbox.ack.mutate({ offerId, unshown }).catch(() => undefined),
    )
    return answer(mail, {
      mail,
      message_ids: messages.map((one) => one.id).filter((id) => !unshown.includes(id)),
      remaining: remaining + unshown.length,
      next_offset: null,
    })
  }

  async function readPage(messageId: number, offset: number): Promise<CallToolResult> {
    const { mail, total, next } = await link.hub.mailbox.read.query({ messageId, offset, limit: PAGE_CHARS })
    if (offset >= total) {
      throw new Error(`Message ${messageId} has ${total} characters: use an offset below that, or none.`)
    }
    const page = renderPage({ messageId, from: mail.from, text: mail.text, offset, total, next })
    return answer(page, { mail: page, message_ids: [messageId], remaining: 0, next_offset: next })
  }
}

const KEPT = 'You wrote, and the hub has not got it yet, oldest first:'

/** What is left then belongs to a hook under way, or stands behind what it took. */
function toNothing(remaining: number): string {
  if (remaining === 0) return 'No mail waits.'
  return `${remaining} ${remaining === 1 ? 'message is' : 'messages are'} about to arrive by another way: go on, or end your turn.`
}
