import { randomUUID } from 'node:crypto'
import { VERSION } from '../../lib/machine/package.ts'
import { startBenchHub, type BenchHubOptions } from '../hub-process.ts'
import { openPool, takeSeats, type Pool } from '../load.ts'
import type { Mail } from './mail.ts'

/** Each mailbox is several seats in turn: two peers may send each other 60 messages a minute. */
const SEATS = 16
type Offer = { offerId: string; messages: { text: string }[] }

export type OwnMail = Mail & { pool: Pool }

/** This project's hub, with a sender and a kept connection for each mailbox. */
export async function openOwn(mailboxes: number, options: BenchHubOptions = {}): Promise<OwnMail> {
  await using stack = new AsyncDisposableStack()
  const hub = stack.use(await startBenchHub(options))
  const pool = stack.use(openPool(hub, Math.min(mailboxes, 256)))
  const senders = await takeSeats(pool, mailboxes, 'sender')
  const readers = await takeSeats(pool, mailboxes * SEATS, 'reader')
  const turns = senders.map(() => 0)
  const opened = stack.move()
  return {
    version: `claude-peers ${VERSION}`,
    pool,
    async exchange(mailbox, text) {
      const sender = senders[mailbox]!
      const reader = readers[mailbox * SEATS + (turns[mailbox]!++ % SEATS)]!
      const draft = { to: reader.id, message: text, idempotencyKey: randomUUID() }
      await pool.call('messages.send', draft, sender.key)
      const { offerId, messages } = await pool.call<Offer>('mailbox.consume', { budget: 8_000 }, reader.key)
      if (messages[0]?.text !== text) throw new Error('the hub delivered something else')
      const { settled } = await pool.call<{ settled: number }>('mailbox.ack', { offerId }, reader.key)
      if (settled !== 1) throw new Error('the hub did not take the acknowledgement')
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}
