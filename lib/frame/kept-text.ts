import type { SendInput } from '#router/shapes/messages'
import { quote } from './answer-text.ts'
import { escapeLine } from './escape.ts'
import { toClock } from './time.ts'

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

/** The lines of a list of such messages, oldest first. */
export const describeWaiting = (kept: Kept[], now: number): string[] =>
  kept.map(
    (one) =>
      `- no number yet, to ${toRecipients(one)}: ${quote(one.input.message)} [kept on this computer since ${toClock(one.at, now)}, until the hub at ${one.hub} answers]`,
  )

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
      ? `Not tried any more: ${toMark(one, now)}. It is not known whether the hub has it: ${escapeLine(one.reason)}`
      : `NOT sent, and not tried any more: ${toMark(one, now)}. The reason: ${escapeLine(one.reason)}`,
  )
  return [...refused, ...sent]
}

const toMark = (kept: Kept, now: number) =>
  `what you wrote to ${toRecipients(kept)} at ${toClock(kept.at, now)}, ${quote(kept.input.message)}`

const toRecipients = ({ input: { to } }: Kept) => escapeLine([to].flat().join(', '))
