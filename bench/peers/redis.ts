import { createClient } from '@redis/client'
import { findProgram } from './debian.ts'
import type { Mail } from './mail.ts'
import { startServer } from './server.ts'

/** Redis Streams whose log is synced before each answer: a stream and a group for each mailbox, a connection for each client. */
export async function openRedis(mailboxes: number): Promise<Mail> {
  const program = await findProgram('redis-server')
  await using stack = new AsyncDisposableStack()
  const server = stack.use(
    await startServer(program, ({ port, directory }) =>
      ['--bind 127.0.0.1', `--port ${port}`, '--appendonly yes', '--appendfsync always']
        .flatMap((setting) => setting.split(' '))
        .concat('--dir', directory, '--save', ''),
    ),
  )
  const clients = await Promise.all(
    Array.from({ length: mailboxes }, async (_, mailbox) => {
      const client = createClient({ socket: { host: '127.0.0.1', port: server.port } })
      client.on('error', () => undefined)
      await client.connect()
      stack.defer(() => client.close())
      await client.xGroupCreate(`mail:${mailbox}`, 'readers', '0', { MKSTREAM: true })
      return client
    }),
  )
  const opened = stack.move()
  return {
    version: `redis-server ${program.version}`,
    async exchange(mailbox, text) {
      const client = clients[mailbox]!
      const key = `mail:${mailbox}`
      await client.xAdd(key, '*', { text })
      const streams = await client.xReadGroup('readers', 'reader', [{ key, id: '>' }], { COUNT: 1 })
      const [message] = (streams as { messages: { id: string; message: { text: string } }[] }[])[0]!.messages
      if (message!.message.text !== text) throw new Error('Redis delivered something else')
      if ((await client.xAck(key, 'readers', message!.id)) !== 1)
        throw new Error('Redis did not take the acknowledgement')
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}
