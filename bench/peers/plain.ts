import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startChild } from '../child.ts'
import { openSocket } from '../socket.ts'
import type { Mail } from './mail.ts'

export type PlainMail = Mail & {
  /** Sends a text to a mailbox, and leaves it there; gives its number. */
  send(mailbox: number, text: string): Promise<number>
}

/** The least hub of this project's parts, with a WebSocket for each mailbox. It asks for no token and no key. */
export async function openPlain(mailboxes: number): Promise<PlainMail> {
  await using stack = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'claude-peers-bench-'))
  stack.defer(() => rm(directory, { recursive: true, force: true }))
  const server = stack.use(startChild('baseline/plain-hub.ts', [join(directory, 'plain.db')]))
  const place = { url: `http://127.0.0.1:${await server.call<number>('listen')}`, token: '' }
  const sockets = await Promise.all(Array.from({ length: mailboxes }, () => openSocket(place, '')))
  for (const socket of sockets) stack.use(socket)
  const opened = stack.move()
  const send = (mailbox: number, message: string) =>
    sockets[mailbox]!.call<number>('send', { from: `sender-${mailbox}`, to: `reader-${mailbox}`, message })
  return {
    version: 'ws and better-sqlite3',
    send,
    async exchange(mailbox, message) {
      const socket = sockets[mailbox]!
      await send(mailbox, message)
      const to = `reader-${mailbox}`
      const { id, text } = await socket.call<{ id: number; text: string }>('consume', { to })
      if (text !== message) throw new Error('the least hub delivered something else')
      if ((await socket.call('ack', { id })) !== 1)
        throw new Error('the least hub did not take the acknowledgement')
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}
