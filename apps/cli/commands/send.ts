import { text as readAll } from 'node:stream/consumers'
import { newKey } from '#client/key'
import { describeSent } from '#frame/answer-text'
import { describeKept } from '#frame/kept-text'
import { describeReceipt } from '#frame/receipt-text'
import { sendInput } from '#router/shapes/messages'
import { UsageError } from '../exit.ts'
import { printJson, printLines } from '../print.ts'
import { sendOrKeep, type Kept } from '../outbox.ts'

export type SendOptions = {
  fyi?: boolean
  replyTo?: number
  expectsReplyWithin?: number
  json?: boolean
}

/** Sends a message as the person at this machine, and says how each recipient will be reached. */
export async function send(to: string, words: string[], options: SendOptions): Promise<void> {
  const message = await readMessage(words)
  const addresses = to.split(',').map((address) => address.trim())
  if (addresses.includes(''))
    throw new UsageError('An address is empty: name a session, or several separated by commas.')
  checkWait(options)
  const urgency = options.fyi ? 'fyi' : 'normal'
  const sent = await sendOrKeep({
    to: addresses,
    message,
    urgency,
    replyTo: options.replyTo,
    expectsReplyWithin: options.expectsReplyWithin,
    idempotencyKey: newKey(),
  })
  if ('kept' in sent) return printKept(sent, options)
  if (options.json) return printJson(sent)
  const now = Date.now()
  printLines([
    describeSent(sent),
    ...sent.recipients.map((receipt) => `- ${receipt.to}: ${describeReceipt(receipt, now)}`),
  ])
}

/** Not sent, and not lost: no failure. */
function printKept({ kept, isBehind }: Kept, { json }: SendOptions) {
  if (json) return printJson({ messageId: null, kept: { hub: kept.hub, at: kept.at } })
  printLines([describeKept(kept, { isBehind })])
}

/** In the words of this command; the hub's are those of its fields. */
function checkWait({ fyi, expectsReplyWithin }: SendOptions) {
  if (expectsReplyWithin === undefined) return
  if (fyi) throw new UsageError('--fyi asks for no answer: leave out --fyi or --expects-reply-within.')
  const checked = sendInput.shape.expectsReplyWithin.safeParse(expectsReplyWithin)
  if (!checked.success) throw new UsageError(`--expects-reply-within: ${checked.error.issues[0]!.message}.`)
}

async function readMessage(words: string[]): Promise<string> {
  const given = words.join(' ')
  if (words.length > 0 && given !== '-') {
    if (given.trim() === '') throw new UsageError('The message is empty: there is nothing to send.')
    return given
  }
  if (process.stdin.isTTY && given !== '-')
    throw new UsageError('There is no message: add it, or pipe it in.')
  const message = (await readAll(process.stdin)).trimEnd()
  if (message === '') throw new UsageError('Standard input was empty: there is no message to send.')
  return message
}
