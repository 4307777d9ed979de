/**
 * What the tools answer as data. Claude Code shows its model this instead of the text (seen with 2.1.197 and 2.1.330),
 * so it holds the words that the model needs and no figures that only a program could use; those have the router.
 */
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import { z } from 'zod'
import { describeAnswer, toExcerpt } from '#frame/answer-text'
import { fit, toEnd, toStart } from '#frame/fit'
import { describeReceipt } from '#frame/receipt-text'
import { describeState, toHomely, toSafePeer } from '#frame/peer-text'
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
  const { address, kind, directory, repo, branch, summary, waiting } = toShortPeer(
    toSafePeer(toHomely(given)),
  )
  return { address, kind, state: describeState(given, now), directory, repo, branch, summary, waiting }
}

/** A peer in a list: of a long path the end, of other words the beginning. */
export function toShortPeer(given: Peer): Peer {
  const { directory, repo, branch, summary } = toHomely(given)
  return {
    ...given,
    directory: toEnd(directory, MAX_PATH_CHARS),
    repo: repo && toEnd(repo, MAX_PATH_CHARS),
    branch: branch && toStart(branch, MAX_BRANCH_CHARS),
    summary: toStart(summary, MAX_SUMMARY_CHARS),
  }
}

const MAX_PATH_CHARS = 120
const MAX_BRANCH_CHARS = 60
const MAX_SUMMARY_CHARS = 200

export const standing = receipt.pick({ to: true, state: true, attempts: true }).extend({
  detail: z.string(),
  /** What answered it, or until when an answer is awaited. */
  answer: z.string().optional(),
  reply: reply.optional(),
})

export const standings = {
  message_id: messageId,
  recipients: z.array(standing),
  /** Of those that have no room. */
  more: z.string().optional(),
}

/** The answer about one message: where it stands with each recipient. */
export function answerStandings(id: number, title: string, receipts: Receipt[]): CallToolResult {
  const now = Date.now()
  const { shown, more } = fitReceipts(receipts, (given) => toStanding(given, now))
  return answer(toList(title, shown, more), { message_id: id, recipients: shown, ...(more && { more }) })
}

/**
 * What is told of the recipients of a message. Where not all have room, those who answered and those who do not have it
 * yet come first, and `more` counts the others.
 */
export function fitReceipts<Told>(
  receipts: Receipt[],
  toTold: (given: Receipt) => Told,
): { shown: Told[]; more: string | undefined } {
  const all = receipts.map(toTold)
  if (fit(all).length === all.length) return { shown: all, more: undefined }
  const ranked = receipts.toSorted((one, other) => toRank(one) - toRank(other))
  const shown = fit(ranked.map(toTold))
  const states = Map.groupBy(ranked.slice(shown.length), ({ state }) => state)
  const counts = [...states].map(([state, { length }]) => `${length} ${state}`)
  return { shown, more: `and ${all.length - shown.length} more: ${counts.join(', ')}` }
}

const RANKS = { expired: 1, queued: 2, offered: 3, delivered: 4, read: 5, retracted: 6 }
const toRank = ({ state, reply }: Receipt) => (reply ? 0 : RANKS[state])

/** A title, a line for each recipient, and what there is besides. */
export function toList(
  title: string,
  recipients: { to: string; detail: string; answer?: string }[],
  more?: string,
): string {
  const lines = recipients.map(({ to, detail, answer }) =>
    answer === undefined ? `- ${to}: ${detail}` : `- ${to}: ${detail}; ${answer}`,
  )
  return [title, ...lines, ...(more ? [`- ${more}`] : [])].join('\n')
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
