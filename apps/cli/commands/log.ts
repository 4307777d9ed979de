import { escapeBody } from '#frame/escape'
import { describeReceipt } from '#frame/receipt-text'
import { describeNumber } from '#frame/thread-text'
import { toClock } from '#frame/time'
import type { LogEntry } from '#router/shapes/messages'
import { printJson, printWords, toOneLine } from '../print.ts'
import { withHub } from '../session.ts'

/** Shows recent messages, newest last, with where each stands. */
export async function log(options: { limit: number; with?: string; json?: boolean }): Promise<void> {
  const { limit, with: peer } = options
  const { entries } = await withHub((hub) => hub.messages.history.query({ limit, with: peer }), {
    start: false,
  })
  if (options.json) return printJson(entries)
  if (entries.length === 0) return printWords(['No messages yet.'])
  const now = Date.now()
  printWords(entries.toReversed().map((entry) => describeEntry(entry, now)))
}

/** One line about a message: when, who to whom, where it stands, how it begins. */
export function describeEntry(entry: LogEntry, now: number): string {
  const answer = entry.reply ? `; answered by ${entry.reply.id}` : ''
  const stands = describeReceipt(entry, now) + answer
  return `${toClock(entry.queuedAt, now)}  ${describeNumber(entry)}  ${entry.from} → ${entry.to}  [${stands}]  ${toWords(entry)}`
}

/** The beginning of what was said; of a message between other machines only how long it is. */
function toWords({ text, chars }: LogEntry): string {
  if (text !== '') return toOneLine(escapeBody(text), 100)
  return `(${chars} ${chars === 1 ? 'character' : 'characters'}, for other machines)`
}
