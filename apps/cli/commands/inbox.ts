import type { HubClient } from '#client/connect'
import { quote } from '#frame/answer-text'
import { describeRelation } from '#frame/thread-text'
import { toAge, toClock } from '#frame/time'
import type { Mail } from '#router/shapes/mailbox'
import { UsageError } from '../exit.ts'
import { flushed, printJson, printLines, printWords, toBodyLines, toJson } from '../print.ts'
import { readCommand } from '../own-words.ts'
import { withUser } from '../session.ts'

type Hub = HubClient['hub']

/** Messages asked for at once. */
const PAGE = 100
/** Characters taken at once. */
const BATCH_CHARS = 1_000_000

export type InboxOptions = { peek?: boolean; all?: boolean; limit: number; json?: boolean }

/**
 * Prints what sessions wrote to the person at this machine, all of it; printed mail is delivered mail. With `all`, the
 * newest `limit` that were taken before; with `peek`, what waits: neither takes any.
 */
export async function inbox({ peek, all, limit, json }: InboxOptions): Promise<void> {
  if (peek && all) throw new UsageError('--peek shows what waits, --all what was taken: use one of them.')
  const work = (hub: Hub) => {
    if (all) return showTaken(hub, { limit, json })
    return peek ? look(hub, json) : take(hub, json)
  }
  await withUser(work, { start: false })
}

/** Newest last, as in the log. */
async function showTaken(hub: Hub, { limit, json }: { limit: number; json: boolean | undefined }) {
  const taken: Mail[] = []
  while (taken.length < limit) {
    const page = Math.min(limit - taken.length, PAGE)
    const { messages } = await hub.mailbox.taken.query({ before: taken.at(-1)?.id, limit: page })
    taken.push(...messages)
    if (messages.length < page) break
  }
  if (json) return printJson(taken.toReversed())
  printWords(taken.length === 0 ? ['You have taken no mail yet.'] : toLines(taken.toReversed()))
}

async function look(hub: Hub, json: boolean | undefined) {
  const { messages, waiting } = await hub.mailbox.peek.query({ limit: 100 })
  if (json) return printJson(messages)
  if (messages.length === 0) return printLines(['No mail.'])
  const more = waiting - messages.length
  printWords([...toLines(messages), ...(more > 0 ? [`${more} more after these.`] : [])])
}

async function take(hub: Hub, json: boolean | undefined) {
  let count = 0
  let isToAnswer = false
  for (;;) {
    const { offerId, messages } = await hub.mailbox.consume.mutate({ budget: BATCH_CHARS })
    if (offerId === null) break
    if (json) process.stdout.write(toJsonItems(messages, count))
    else printWords(toLines(messages))
    count += messages.length
    isToAnswer ||= messages.some((mail) => mail.kind === 'message')
    await flushed()
    await hub.mailbox.ack.mutate({ offerId })
  }
  if (json) process.stdout.write(count > 0 ? '\n]\n' : '[]\n')
  else if (count === 0) printLines([await whyNothing(hub)])
  else if (isToAnswer) printLines([toAnswer()])
}

const toAnswer = () => `Answer with: ${readCommand()} send --reply-to <id> <name> <message>`

/** What a reader that was broken off has taken comes back when its lease of 30 seconds is over. */
async function whyNothing(hub: Hub): Promise<string> {
  const { waiting } = await hub.mailbox.peek.query({ limit: 1 })
  return waiting === 0
    ? 'No mail.'
    : `${waiting} taken by another reader just now: try again in half a minute.`
}

function toLines(messages: Mail[]): string[] {
  const now = Date.now()
  return messages.flatMap((mail) => {
    const own = mail.answers ? ` ${quote(mail.answers.excerpt)}` : ''
    const relation = describeRelation(mail)
    const reply = relation === undefined ? '' : `, ${relation}${own}`
    const until = mail.replyBy === null ? '' : `, awaits an answer until ${toClock(mail.replyBy, now)}`
    const again = mail.again ? ' (you may have seen it before)' : ''
    return [
      `── ${mail.id} from ${mail.from}, ${toAge(mail.sentAt, now)}${reply}${until}${again}`,
      ...toBodyLines(mail.text),
      '',
    ]
  })
}

/** The next items of an array that is printed while it is read. */
function toJsonItems(messages: Mail[], before: number): string {
  return messages.map((mail, index) => `${before + index > 0 ? ',' : '['}\n${toJson(mail)}`).join('')
}
