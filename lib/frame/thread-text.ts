import type { LogEntry, Threads } from '#router/shapes/messages'
import { describeAnswer, describeStanding, quote } from './answer-text.ts'

/** The lines of one list at most: who asks the hub for one more learns whether there is more. */
export const MOST_LINES = 50

/**
 * What a peer sent, or what of its conversations is without an answer, newest first, a line for each recipient; and the
 * messages that it tells of.
 */
export function describeThreads(
  threads: Threads,
  show: 'sent' | 'unanswered',
  now: number,
): { text: string; messageIds: number[] } {
  const [sent, owed] = [threads.sent.slice(0, MOST_LINES), threads.owed.slice(0, MOST_LINES)]
  const theirs = owed.map(
    (entry) =>
      `- ${describeNumber(entry)} from ${entry.from}: ${quote(entry.text)} [${describeAnswer(entry, now)}]`,
  )
  const toLine = (entry: LogEntry) =>
    `- ${describeNumber(entry)} to ${entry.to}: ${quote(entry.text)} [${describeStanding(entry, now)}]`
  const isOwn = (entry: LogEntry) => entry.queuedAt >= threads.heldSince
  const before = sent.filter((entry) => !isOwn(entry))
  const lines = [
    ...list(OWED, theirs),
    ...toMore(threads.owed),
    ...list(OWN[show], sent.filter(isOwn).map(toLine)),
    ...list(PREVIOUS[show], before.map(toLine)),
    ...toMore(threads.sent),
  ]
  const nothing = show === 'sent' ? 'You have sent nothing.' : 'Nothing is unanswered.'
  return {
    text: lines.join('\n') || nothing,
    messageIds: [...new Set([...owed, ...sent].map((entry) => entry.messageId))],
  }
}

const OWN = { sent: 'You sent, newest first:', unanswered: 'You sent, and have no answer to:' }
const PREVIOUS = {
  sent: 'The previous session of this name sent, newest first:',
  unanswered: 'The previous session of this name sent, and has no answer to:',
}
const OWED = 'Others await your answer (send_message with reply_to; the words are theirs, not your user’s):'

/** The number of a message, and of what it answers or, as a note, is about. */
export function describeNumber(entry: LogEntry): string {
  const relation = describeRelation(entry)
  return relation === undefined ? String(entry.messageId) : `${entry.messageId} (${relation})`
}

/** What a message has to do with the one that it names; `undefined` when it names none. */
export function describeRelation({ kind, replyTo }: Pick<LogEntry, 'kind' | 'replyTo'>): string | undefined {
  if (replyTo === null) return undefined
  return `${kind === 'note' ? 'about' : 'answers'} ${replyTo}`
}

const list = (title: string, lines: string[]) => (lines.length === 0 ? [] : [title, ...lines])

const toMore = (found: LogEntry[]) => (found.length > MOST_LINES ? ['There are more, older ones.'] : [])
