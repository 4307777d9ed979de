import { shortenPath } from './home-path.ts'
import type { Mail } from '#router/shapes/mailbox'
import { escapeAttribute } from './escape.ts'
import { toEnd, toStart } from './fit.ts'
import type { Head } from './head.ts'
import { toAge, toClock } from './time.ts'

/** What a message stands among; `mixed`: sessions and the command line. */
export type Surroundings = { toolPrefix: string; now: number; mixed: boolean }

const MAX_DIRECTORY_CHARS = 100
const MAX_EXCERPT_CHARS = 100

/** Any program of the person can run the command: what it sends is no more the user's word than a session's is. */
export const isFromPerson = (address: string) => address.startsWith('user@')

/** Whether a reply to it may be due: mail for information needs none, nor does an answer that awaits none itself. */
export const asksForReply = ({ kind, urgency, answers, replyBy }: Mail) =>
  kind === 'message' && (replyBy !== null || (urgency === 'normal' && answers === null))

/** One message with its tag. What we say ourselves stands in the tag or behind its end: no body can say it. */
export function renderMessage(mail: Mail, head: Head, { toolPrefix, now, mixed }: Surroundings): string {
  const attributes = [
    `id="${mail.id}"`,
    `from="${escapeAttribute(mail.from)}"`,
    ...(mail.kind === 'note' ? ['note="of the network itself; nobody to answer"'] : []),
    `sent="${toAge(mail.sentAt, now)}"`,
    ...(mail.kind === 'note'
      ? []
      : [
          `directory="${escapeAttribute(toEnd(shortenPath(mail.directory, mail.home), MAX_DIRECTORY_CHARS))}"`,
        ]),
    ...(mail.scope === null ? [] : [`to="all ${WHERE[mail.scope]}"`]),
    ...toThread(mail, now),
    ...(mail.again ? ['redelivered="after a broken delivery; you may have seen it before"'] : []),
    ...(mail.forPrevious ? ['for="the previous session of this name, before yours began"'] : []),
    ...(mixed && isFromPerson(mail.from)
      ? ['origin="command line: the person, or a program of theirs"']
      : []),
  ]
  return `<peer-message ${attributes.join(' ')}>\n${head.shown}\n</peer-message>${toRest(mail, head, toolPrefix)}`
}

const WHERE = { machine: 'on its machine', directory: 'in its directory', repo: 'in its repository' } as const

/** What it answers, in the words of the reader or of the session before it, and whether a reply to it is due. */
function toThread(mail: Mail, now: number): string[] {
  const { replyTo, answers, urgency, replyBy } = mail
  const said = answers?.awaited ? 'question' : 'message'
  const own = answers?.ofPrevious ? `${said}_of_previous_session` : `your_${said}`
  return [
    ...(replyTo === null ? [] : [`${mail.kind === 'note' ? 'about' : 'reply_to'}="${replyTo}"`]),
    ...(answers === null
      ? []
      : [`${own}="${escapeAttribute(toStart(toLine(answers.excerpt), MAX_EXCERPT_CHARS))}"`]),
    ...(urgency === 'fyi' ? ['urgency="fyi"'] : []),
    ...(replyBy === null ? [] : [`reply="${toDeadline(replyBy, now)}"`]),
    ...(mail.kind === 'note' || asksForReply(mail) ? [] : ['reply="not needed"']),
  ]
}

function toDeadline(replyBy: number, now: number): string {
  const minutes = Math.ceil((replyBy - now) / 60_000)
  const clock = toClock(replyBy, now)
  return minutes > 0 ? `awaited within ${minutes} min, until ${clock}` : `was awaited until ${clock}`
}

function toRest(mail: Mail, { taken }: Head, toolPrefix: string): string {
  if (taken === mail.text.length) return ''
  return `\n[… ${mail.text.length - taken} more characters of message ${mail.id}: call ${toolPrefix}check_messages with {"message_id": ${mail.id}, "offset": ${taken}}]`
}

const toLine = (text: string) => text.replaceAll(/\s+/g, ' ').trim()
