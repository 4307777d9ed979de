import { AckPolicy, jetstream, jetstreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { findProgram } from './debian.ts'
import type { Mail } from './mail.ts'
import { startServer } from './server.ts'

/**
 * NATS JetStream: a work queue in files, a subject and a durable consumer for each mailbox, a connection for each client.
 * Its server acknowledges what it has given to the kernel, and syncs every two minutes: a power cut loses the rest.
 */
export async function openNats(mailboxes: number): Promise<Mail> {
  const program = await findProgram('nats-server')
  await using stack = new AsyncDisposableStack()
  const server = stack.use(
    await startServer(program, ({ port, directory }) =>
      `--addr 127.0.0.1 --port ${port} --jetstream --store_dir`.split(' ').concat(directory),
    ),
  )
  const clients = await Promise.all(
    Array.from({ length: mailboxes }, async (_, mailbox) => {
      const connection = await connect({ servers: `nats://127.0.0.1:${server.port}` })
      stack.defer(() => connection.close())
      const manager = await jetstreamManager(connection)
      if (mailbox === 0) {
        await manager.streams.add({
          name: 'mail',
          subjects: ['mail.*'],
          storage: StorageType.File,
          retention: RetentionPolicy.Workqueue,
        })
      }
      return { connection, manager }
    }),
  )
  const boxes = await Promise.all(
    clients.map(async ({ connection, manager }, mailbox) => {
      const name = `box-${mailbox}`
      await manager.consumers.add('mail', {
        durable_name: name,
        filter_subject: `mail.${mailbox}`,
        ack_policy: AckPolicy.Explicit,
      })
      const stream = jetstream(connection)
      return { stream, consumer: await stream.consumers.get('mail', name) }
    }),
  )
  const opened = stack.move()
  return {
    version: `nats-server ${program.version}`,
    async exchange(mailbox, text) {
      const { stream, consumer } = boxes[mailbox]!
      await stream.publish(`mail.${mailbox}`, text, { msgID: text })
      const message = await consumer.next({ expires: 10_000 })
      if (message?.string() !== text) throw new Error('NATS delivered something else')
      if (!(await message.ackAck())) throw new Error('NATS did not take the acknowledgement')
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}
