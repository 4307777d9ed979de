/**
 * What the tools answer as data. Claude Code shows its model this instead of the text (seen with 2.1.197 and 2.1.330),
 * so it holds the words that the model needs and no figures that only a program could use; those have the router.
 */
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import { z } from 'zod'
import { describeAnswer, toExcerpt } from '#frame/answer-text'
import { describeReceipt } from '#frame/receipt-text'
import { describeState, toSafePeer } from '#frame/peer-text'
import { receipt, reply, type Receipt } from '#router/shapes/messages'
import { messageId } from '#router/shapes/common'
import { peer, type Peer } from '#router/shapes/peers'
import { answer } from './answer.ts'

export const seenPeer = peer
  .pick({
    address: true,
    kind: true,
    directory: true,
    repo: true,
    branch: true,
    summary: true,
    waiting: true,
  })
  .extend({ state: z.string() })

/** A peer in a tool's answer; its own words cannot pass for anything but words. */
export function toSeenPeer(given: Peer, now: number): z.infer<typeof seenPeer> {
  const { address, kind, directory, repo, branch, summary, waiting } = toSafePeer(given)
  return { address, kind, state: describeState(given, now), directory, repo, branch, summary, waiting }
}

export const standing = receipt.pick({ to: true, state: true, attempts: true }).extend({
  detail: z.string(),
  /** What answered it, or until when an answer is awaited. */
  answer: z.string().optional(),
  reply: reply.optional(),
})

export const standings = { message_id: messageId, recipients: z.array(standing) }

/** The answer about one message: where it stands with each recipient. */
export function answerStandings(id: number, title: string, receipts: Receipt[]): CallToolResult {
  const now = Date.now()
  const recipients = receipts.map((given) => toStanding(given, now))
  return answer(toList(title, recipients), { message_id: id, recipients })
}

/** A title and a line for each recipient. */
export function toList(title: string, recipients: { to: string; detail: string; answer?: string }[]): string {
  const lines = recipients.map(({ to, detail, answer }) =>
    answer === undefined ? `- ${to}: ${detail}` : `- ${to}: ${detail}; ${answer}`,
  )
  return [title, ...lines].join('\n')
}

/** Where a message stands with one recipient, in a tool's answer. */
export function toStanding(given: Receipt, now: number): z.infer<typeof standing> {
  const { to, state, attempts, reply } = given
  const answer = describeAnswer(given, now)
  return {
    to,
    state,
    attempts,
    detail: describeReceipt(given, now),
    ...(answer !== undefined && { answer }),
    ...(reply && { reply: { id: reply.id, excerpt: toExcerpt(reply.excerpt) } }),
  }
}
