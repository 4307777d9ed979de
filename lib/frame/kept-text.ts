import type { SendInput } from '#router/shapes/messages'
import { quote } from './answer-text.ts'
import { escapeLine } from './escape.ts'
import { fit, LIST_CHARS, toStart } from './fit.ts'
import { toClock } from './time.ts'

/** The most characters of the addresses of one message: there may be a thousand. */
const MOST_ADDRESSED = 200
/** The most of a reason: a hub may be an older one. */
const MOST_REASON = 2_000

/** A message that waits on this computer. */
type Kept = { hub: string; at: number; input: SendInput }
type Refused = { reason: string; isUnknown?: boolean | undefined }

/** What has become of a message that its hub did not answer for. */
export function describeKept({ hub, input }: Kept, { isBehind }: { isBehind: boolean }): string {
  const text = isBehind
    ? `The hub at ${hub} has yet to take what you wrote before. The message is kept on this computer behind that, and sent after it; its number is known then.`
    : `The hub at ${hub} does not answer. The message is kept on this computer and sent as soon as the hub is back, before anything newer; its number is known then.`
  const minutes = input.expectsReplyWithin
  return minutes === undefined ? text : `${text} The ${minutes} minutes for an answer count from then.`
}

/** What is known of a message that is not sent any more. */
export const describeRefused = ({ isUnknown, reason }: Refused): string =>
  isUnknown ? `not tried any more. It is not known whether the hub has it: ${reason}` : `NOT sent. ${reason}`

/** The lines of a list of such messages, oldest first, and how many have no room in it. */
export const describeWaiting = (kept: Kept[], now: number): string[] =>
  fitLines(
    kept.map(
      (one) =>
        `- no number yet, to ${toRecipients(one)}: ${quote(one.input.message)} [kept on this computer since ${toClock(one.at, now)}, until the hub at ${one.hub} answers]`,
    ),
  )

/** Such a list leaves room for what the hub knows. */
function fitLines(lines: string[]): string[] {
  const shown = fit(lines, LIST_CHARS / 2)
  const more = lines.length - shown.length
  return more === 0 ? lines : [...shown, `- and ${more} more`]
}

/** What the sender of kept messages has to know. */
export function describeNews(
  news: {
    sent: { entry: Kept; messageId: number }[]
    refused: (Kept & Refused)[]
  },
  now: number,
): string[] {
  const sent = news.sent.map(
    ({ entry, messageId }) => `Message ${messageId} is stored now: ${toMark(entry, now)}.`,
  )
  const refused = news.refused.map((one) =>
    one.isUnknown
      ? `Not tried any more: ${toMark(one, now)}. It is not known whether the hub has it: ${toStart(escapeLine(one.reason), MOST_REASON)}`
      : `NOT sent, and not tried any more: ${toMark(one, now)}. The reason: ${toStart(escapeLine(one.reason), MOST_REASON)}`,
  )
  return fitLines([...refused, ...sent])
}

const toMark = (kept: Kept, now: number) =>
  `what you wrote to ${toRecipients(kept)} at ${toClock(kept.at, now)}, ${quote(kept.input.message)}`

const toRecipients = ({ input: { to } }: Kept) => toStart(escapeLine([to].flat().join(', ')), MOST_ADDRESSED)
