import { VERSION } from '../../lib/machine/package.ts'
import { startBenchHub, type BenchHubOptions } from '../hub-process.ts'
import { inParallel, newDraft, openPool, takeSeats, type HubPlace, type Pool, type Seat } from '../load.ts'
import { openSocket, type SocketCalls } from '../socket.ts'
import type { Mail } from './mail.ts'

/** Each mailbox is several seats in turn: two peers may send each other 60 messages a minute. */
const SEATS = 16
type Offer = { offerId: string; messages: { text: string }[] }
/** A mutation as the holder of a mailbox key. */
type CallAs = <T>(key: string, path: string, input: object) => Promise<T>

export type OwnMail = Mail & { pool: Pool }
export type OwnOptions = BenchHubOptions & {
  /** `http`: a kept connection for each client, as hooks and commands call; `socket`: a WebSocket for each seat. */
  transport?: 'http' | 'socket'
}

/** This project's hub, with a sender for each mailbox. */
export async function openOwn(
  mailboxes: number,
  { transport = 'http', ...options }: OwnOptions = {},
): Promise<OwnMail> {
  await using stack = new AsyncDisposableStack()
  const hub = stack.use(await startBenchHub(options))
  const pool = stack.use(openPool(hub, Math.min(mailboxes, 256)))
  const senders = await takeSeats(pool, mailboxes, 'sender')
  const readers = await takeSeats(pool, mailboxes * SEATS, 'reader')
  const callAs: CallAs =
    transport === 'http'
      ? (key, path, input) => pool.call(path, input, key)
      : await openSockets(hub, [...senders, ...readers], stack)
  const turns = senders.map(() => 0)
  const opened = stack.move()
  return {
    version: `claude-peers ${VERSION}`,
    pool,
    async exchange(mailbox, text) {
      const { key } = senders[mailbox]!
      const reader = readers[mailbox * SEATS + (turns[mailbox]!++ % SEATS)]!
      await callAs(key, 'messages.send', newDraft(reader.id, text))
      const { offerId, messages } = await callAs<Offer>(reader.key, 'mailbox.consume', { budget: 8_000 })
      if (messages[0]?.text !== text) throw new Error('the hub delivered something else')
      const { settled } = await callAs<{ settled: number }>(reader.key, 'mailbox.ack', { offerId })
      if (settled !== 1) throw new Error('the hub did not take the acknowledgement')
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

async function openSockets(hub: HubPlace, seats: Seat[], stack: AsyncDisposableStack): Promise<CallAs> {
  const sockets = new Map<string, SocketCalls>()
  await inParallel(32, seats.length, async (_, number) => {
    const { key } = seats[number]!
    sockets.set(key, stack.use(await openSocket(hub, key)))
  })
  return (key, path, input) => sockets.get(key)!.call(path, input)
}
