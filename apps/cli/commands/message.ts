import { describeStanding } from '#frame/answer-text'
import { describeSteps } from '#frame/receipt-text'
import { describeRelation } from '#frame/thread-text'
import { toClock } from '#frame/time'
import type { WholeMessage } from '#router/shapes/messages'
import { printJson, printWords, toBodyLines } from '../print.ts'
import { withHub } from '../session.ts'

/** Shows one message whole: who sent what, and for each recipient every step that it made and how it goes on. */
export async function message(id: number, { json }: { json?: boolean }): Promise<void> {
  const found = await withHub((hub) => hub.messages.get.query({ messageId: id }), { start: false })
  if (json) return printJson(found)
  const now = Date.now()
  printWords([
    toHeading(found, now),
    ...(found.text === '' ? [NOT_FOR_HERE] : toBodyLines(found.text)),
    ...found.recipients.flatMap((entry) => [
      `- ${entry.to}: ${describeStanding(entry, now)}`,
      `  ${describeSteps(entry, now)}`,
    ]),
  ])
}

const NOT_FOR_HERE =
  '  (its text is shown at the machines of the sender and the recipients, and at that of the hub)'

function toHeading(found: WholeMessage, now: number): string {
  const { messageId, from, urgency, chars, sentAt } = found
  const notes = [
    `${chars} ${chars === 1 ? 'character' : 'characters'}`,
    ...(urgency === 'fyi' ? ['for information'] : []),
    describeRelation(found) ?? [],
  ].flat()
  return `Message ${messageId} from ${from}, ${toClock(sentAt, now)} (${notes.join(', ')})`
}
