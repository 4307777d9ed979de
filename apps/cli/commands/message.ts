import { escapeBody } from '#frame/escape'
import { describeStanding } from '#frame/answer-text'
import { describeSteps } from '#frame/receipt-text'
import { describeRelation } from '#frame/thread-text'
import type { LogEntry } from '#router/shapes/messages'
import { printJson, printLines, toOneLine } from '../print.ts'
import { withHub } from '../session.ts'

/** Shows one message: who sent what, and for each recipient every step that it made and how it goes on. */
export async function message(id: number, { json }: { json?: boolean }): Promise<void> {
  const found = await withHub((hub) => hub.messages.history.query({ before: id + 1, limit: 1 }))
  const entries = found.entries.filter((entry) => entry.messageId === id)
  if (entries.length === 0) {
    throw new Error(
      `There is no message ${id}, or it was settled over 30 days ago: "claude-peers log" shows the newest.`,
    )
  }
  if (json) return printJson(entries)
  const now = Date.now()
  printLines([
    ...toHeading(entries[0]!),
    ...entries.flatMap((entry) => [
      `- ${entry.to}: ${describeStanding(entry, now)}`,
      `  ${describeSteps(entry, now)}`,
    ]),
  ])
}

function toHeading(entry: LogEntry): string[] {
  const { messageId, from, urgency, chars, text } = entry
  const notes = [
    `${chars} ${chars === 1 ? 'character' : 'characters'}`,
    ...(urgency === 'fyi' ? ['for information'] : []),
    describeRelation(entry) ?? [],
  ].flat()
  return [`Message ${messageId} from ${from} (${notes.join(', ')})`, `  ${toOneLine(escapeBody(text), 100)}`]
}
