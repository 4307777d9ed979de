import type { LogEntry, Threads } from '#router/shapes/messages'
import { describeAnswer, describeStanding, quote } from './answer-text.ts'
import { fit, lengthOf, LIST_CHARS } from './fit.ts'

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
  const theirs = threads.owed.slice(0, MOST_LINES).map((entry) => ({
    entry,
    line: `- ${describeNumber(entry)} from ${entry.from}: ${quote(entry.text)} [${describeAnswer(entry, now)}]`,
  }))
  const ours = threads.sent.slice(0, MOST_LINES).map((entry) => ({
    entry,
    line: `- ${describeNumber(entry)} to ${entry.to}: ${quote(entry.text)} [${describeStanding(entry, now)}]`,
  }))
  // What others await comes first, and leaves half of the room.
  const owed = fitLines(theirs, LIST_CHARS / 2)
  const sent = fitLines(ours, LIST_CHARS - owed.reduce((sum, { line }) => sum + lengthOf(line), 0))
  const isOwn = ({ entry }: Told) => entry.queuedAt >= threads.heldSince
  const before = sent.filter((one) => !isOwn(one))
  const lines = [
    ...list(OWED, owed),
    ...toMore(threads.owed, owed),
    ...list(OWN[show], sent.filter(isOwn)),
    ...list(PREVIOUS[show], before),
    ...toMore(threads.sent, sent),
  ]
  const nothing = show === 'sent' ? 'You have sent nothing.' : 'Nothing is unanswered.'
  return {
    text: lines.join('\n') || nothing,
    messageIds: [...new Set([...owed, ...sent].map(({ entry }) => entry.messageId))],
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

type Told = { entry: LogEntry; line: string }

const list = (title: string, told: Told[]) =>
  told.length === 0 ? [] : [title, ...told.map(({ line }) => line)]

function fitLines(told: Told[], room: number): Told[] {
  const { length } = fit(
    told.map(({ line }) => line),
    room,
  )
  return told.slice(0, length)
}

const toMore = (found: LogEntry[], told: Told[]) =>
  found.length > told.length ? ['There are more, older ones.'] : []
