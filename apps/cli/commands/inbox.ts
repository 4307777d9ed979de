import { escapeBody } from '#frame/escape'
import { toAge } from '#frame/time'
import type { Mail } from '#router/shapes/mailbox'
import { printJson, printLines } from '../print.ts'
import { withUser } from '../session.ts'

/** More than a mailbox can hold: a person reads everything at once. */
const EVERYTHING = 1_000_000

/** Prints what sessions wrote to the person at this machine; printed mail is delivered mail. */
export async function inbox({ peek, json }: { peek?: boolean; json?: boolean }): Promise<void> {
  await withUser(async (hub) => {
    if (peek) return show((await hub.mailbox.peek.query({ limit: 100 })).messages, json)
    const offer = await hub.mailbox.consume.mutate({ budget: EVERYTHING })
    show(offer.messages, json)
    if (offer.offerId === null) return
    await flushed()
    await hub.mailbox.ack.mutate({ offerId: offer.offerId })
  })
}

function show(messages: Mail[], json: boolean | undefined) {
  if (json) return printJson(messages)
  if (messages.length === 0) return printLines(['No mail.'])
  const now = Date.now()
  for (const mail of messages) {
    const reply = mail.replyTo === null ? '' : `, answers ${mail.replyTo}`
    printLines([
      `── ${mail.id} from ${mail.from}, ${toAge(mail.sentAt, now)}${reply}`,
      escapeBody(mail.text),
      '',
    ])
  }
  printLines(['Answer with: claude-peers send --reply-to <id> <name> <message>'])
}

const flushed = () =>
  new Promise<void>((resolve, reject) =>
    process.stdout.write('', (cause) => (cause ? reject(cause) : resolve())),
  )
