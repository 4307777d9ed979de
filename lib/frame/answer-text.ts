import type { Receipt, Sent } from '#router/shapes/messages'
import { escapeLine } from './escape.ts'
import { toStart } from './fit.ts'
import { describeReceipt } from './receipt-text.ts'
import { toClock } from './time.ts'

/** The most characters of a text that stands for a message. */
const EXCERPT_CHARS = 100

/** Whether an answer came to a message, or until when one is awaited; `undefined` when none was asked for and none came. */
export function describeAnswer({ reply, replyBy, state }: Receipt, now: number): string | undefined {
  if (reply) {
    const excerpt = reply.excerpt && quote(reply.excerpt)
    return [`answered by message ${reply.id}`, excerpt].filter(Boolean).join(': ')
  }
  if (replyBy === null || state === 'retracted' || state === 'expired') return undefined
  const until = toClock(replyBy, now)
  return replyBy > now ? `an answer is awaited until ${until}` : `no answer came until ${until}`
}

/** Where a message stands, and what became of its question. */
export const describeStanding = (receipt: Receipt, now: number): string =>
  [describeReceipt(receipt, now), describeAnswer(receipt, now) ?? []].flat().join('; ')

/** Somebody's words on one line, that cannot pass for more than words. */
export const toExcerpt = (text: string): string => toStart(escapeLine(text), EXCERPT_CHARS)

/** The same between double quotes, which nothing in it can end. */
export const quote = (text: string): string => `"${toExcerpt(text).replaceAll(/["“”＂]/gu, "'")}"`

/** What has been sent, and to whom when it went to everybody. */
export function describeSent({ messageId, scope, recipients, worktrees }: Sent): string {
  const others =
    worktrees.length > 0
      ? ` In other worktrees of that repository run: ${escapeLine(worktrees.join(', '))}.`
      : ''
  if (scope === null) return `Message ${messageId} is stored.${others}`
  const count = recipients.length
  const who = count === 1 ? 'the one other session' : `the ${count} other sessions`
  const where = { machine: 'on this machine', directory: 'in this directory', repo: 'in this repository' }[
    scope
  ]
  return `Message ${messageId} is stored for ${who} that ${count === 1 ? 'runs' : 'run'} ${where} now; closed ones get none.`
}
