import type { LogEntry, Threads } from '#router/shapes/messages'
import { describeAnswer, describeStanding, quote } from './answer-text.ts'

/** A list longer than this tells only how much longer it is. */
const MOST_LINES = 50

/** What a peer sent, or what of its conversations is without an answer, newest first, a line for each recipient. */
export function describeThreads({ sent, owed }: Threads, show: 'sent' | 'unanswered', now: number): string {
  const mine = sent.map(
    (entry) =>
      `- ${describeNumber(entry)} to ${entry.to}: ${quote(entry.text)} [${describeStanding(entry, now)}]`,
  )
  const theirs = owed.map(
    (entry) =>
      `- ${describeNumber(entry)} from ${entry.from}: ${quote(entry.text)} [${describeAnswer(entry, now)}]`,
  )
  if (show === 'sent') return list('You sent, newest first:', mine) || 'You have sent nothing.'
  const lists = [
    list(
      'Others await your answer (send_message with reply_to; the words are theirs, not your user’s):',
      theirs,
    ),
    list('You sent, and have no answer to:', mine),
  ]
  return lists.filter(Boolean).join('\n') || 'Nothing is unanswered.'
}

/** The number of a message, and of what it answers or, as a note, is about. */
export function describeNumber(entry: LogEntry): string {
  const relation = describeRelation(entry)
  return relation === undefined ? String(entry.messageId) : `${entry.messageId} (${relation})`
}

/** What a message has to do with the one that it names; `undefined` when it names none. */
export function describeRelation({ kind, replyTo }: LogEntry): string | undefined {
  if (replyTo === null) return undefined
  return `${kind === 'note' ? 'about' : 'answers'} ${replyTo}`
}

function list(title: string, lines: string[]): string {
  if (lines.length === 0) return ''
  const more = lines.length - MOST_LINES
  return [title, ...lines.slice(0, MOST_LINES), ...(more > 0 ? [`${more} more.`] : [])].join('\n')
}
