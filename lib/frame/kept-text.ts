import type { SendInput } from '#router/shapes/messages'
import { quote } from './answer-text.ts'
import { escapeLine } from './escape.ts'
import { toClock } from './time.ts'

/** A message that waits on this computer. */
type Kept = { hub: string; at: number; input: SendInput }

/** What has become of a message that its hub did not answer for. */
export const describeKept = ({ hub }: Kept): string =>
  `The hub at ${hub} does not answer. The message is kept on this computer and sent as soon as the hub is back, before anything newer; its number is known then.`

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
    refused: (Kept & { reason: string })[]
  },
  now: number,
): string[] {
  const sent = news.sent.map(
    ({ entry, messageId }) => `Message ${messageId} is stored now: ${toMark(entry, now)}.`,
  )
  const refused = news.refused.map(
    (one) => `NOT sent, and not tried any more: ${toMark(one, now)}. The reason: ${escapeLine(one.reason)}`,
  )
  return [...refused, ...sent]
}

const toMark = (kept: Kept, now: number) =>
  `what you wrote to ${toRecipients(kept)} at ${toClock(kept.at, now)}, ${quote(kept.input.message)}`

const toRecipients = ({ input: { to } }: Kept) => escapeLine([to].flat().join(', '))
