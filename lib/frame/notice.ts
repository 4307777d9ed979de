/**
 * The line that a client shows its person when mail is handed to the model: from whom, and how it begins. The model
 * never sees it. Its words are other agents': nothing in it may steer the terminal or look like a second line.
 */
import type { Mail } from '#router/shapes/mailbox'
import { escapeLine } from './escape.ts'

/** Columns of the whole line. The client puts some 30 of its own before it, and wraps it at the terminal's width. */
const MOST_COLUMNS = 160
const MOST_SENDER_COLUMNS = 40
const MOST_SENDERS = 3

/** One line about the messages of a delivery; several are counted, with their senders and how each begins. */
export function toNotice(messages: Pick<Mail, 'from' | 'kind' | 'text'>[]): string {
  const [first] = messages
  if (first && messages.length === 1)
    return cut(`${LABEL} ${toSource(first)}: ${toBeginning(first)}`, MOST_COLUMNS)
  const senders = [...new Set(messages.map(toSource))]
  const shown = senders.slice(0, MOST_SENDERS)
  const more = senders.length > shown.length ? ` and ${senders.length - shown.length} more` : ''
  const head = `${LABEL} ${messages.length} messages from ${shown.join(', ')}${more}: `
  const each = Math.max(
    LEAST_BEGINNING,
    Math.floor((MOST_COLUMNS - columnsOf(head)) / messages.length) - GAP.length,
  )
  return cut(head + messages.map((one) => cut(toBeginning(one), each)).join(GAP), MOST_COLUMNS)
}

const LABEL = 'claude-peers:'
const GAP = ' · '
const LEAST_BEGINNING = 12

const toSource = ({ from, kind }: Pick<Mail, 'from' | 'kind'>) =>
  kind === 'note' ? 'the network' : cut(escapeLine(from), MOST_SENDER_COLUMNS)

/** The rest of a long text is never looked at: escaping 64 KiB takes longer than the delivery may. */
const toBeginning = ({ text }: Pick<Mail, 'text'>) =>
  escapeLine(text.slice(0, 4 * MOST_COLUMNS).toWellFormed()).replaceAll(/\p{Mn}{3,}/gu, (marks) =>
    marks.slice(0, 2),
  )

/** A text of at most so many columns; what is cut off is told by an ellipsis. */
function cut(text: string, most: number): string {
  if (columnsOf(text) <= most) return text
  let columns = 1
  let kept = ''
  for (const character of text) {
    columns += columnsOf(character)
    if (columns > most) break
    kept += character
  }
  return `${kept.trimEnd()}…`
}

/** At least as many as a terminal takes: what is wide there is wide here, and so is everything else beyond Latin. */
function columnsOf(text: string): number {
  let columns = 0
  for (const character of text) columns += character <= '\u02ff' || character === '…' ? 1 : 2
  return columns
}
