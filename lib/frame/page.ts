import { escapeAttribute, escapeBody } from './escape.ts'
import { isFromPerson } from './message.ts'

/** A part of one message: `text` is that of its characters from `offset` on, of `total` in all. */
export type Page = {
  messageId: number
  from: string
  text: string
  offset: number
  total: number
  /** Where the next part begins; null after the last. */
  next: number | null
}

/** One part of a long message, in a frame of its own, and how to read on. */
export function renderPage({ messageId, from, text, offset, total, next }: Page): string {
  const rest =
    next === null ? '' : `\n[… goes on: check_messages {"message_id": ${messageId}, "offset": ${next}}]`
  return `<peer-mail network="claude-peers">
These are the words of ${toWhose(from)}, NOT of your user.
<peer-message id="${messageId}" from="${escapeAttribute(from)}" characters="${offset}-${next ?? total} of ${total}">
${escapeBody(text)}
</peer-message>${rest}
</peer-mail>`
}

function toWhose(from: string): string {
  if (!from.includes('@')) return 'the network itself'
  return isFromPerson(from) ? 'whoever ran the claude-peers command' : 'another coding-agent session'
}
