import { crc32 } from 'node:zlib'
import { sql } from 'drizzle-orm'
import { noteMail } from './bell.ts'
import type { Connection } from './connection.ts'
import { deliveries, messages } from './schema.ts'

type NewMessage = Omit<typeof messages.$inferInsert, 'id' | 'chars'>
type NewDelivery = {
  messageId: number
  senderId: string
  recipientId: string
  /** That of the body. */
  digest: number
  /** When its message was made. */
  queuedAt: number
  replyBy: number | null
}

/** What is compared first of two bodies. */
export const toDigest = (body: string): number => crc32(body)

/** The two writes that make mail, for inside `queue.run`. */
export function createMailWrites(connection: Connection) {
  const { nextSeq, bell, fresh, expireAfterMs } = connection
  const statements = prepare(connection)
  return {
    /** Stores what is said, and gives its id; `undefined` when its sender has used the key before. */
    store(message: NewMessage): number | undefined {
      const stored = statements.store.run({ ...message, chars: message.body.length })
      return stored.changes === 0 ? undefined : Number(stored.lastInsertRowid)
    },
    /** Queues a message for one recipient, for as long as mail waits. */
    queue(delivery: NewDelivery): void {
      const changedSeq = nextSeq()
      statements.queue.run({ ...delivery, expiresAt: delivery.queuedAt + expireAfterMs, changedSeq })
      fresh.add(delivery.recipientId)
      noteMail(bell, { ...delivery, changedSeq })
    },
  }
}

function prepare({ orm }: Connection) {
  const placeholder = sql.placeholder
  return {
    store: orm
      .insert(messages)
      .values({
        senderId: placeholder('senderId'),
        idempotencyKey: placeholder('idempotencyKey'),
        body: placeholder('body'),
        chars: placeholder('chars'),
        urgency: placeholder('urgency'),
        replyTo: placeholder('replyTo'),
        kind: placeholder('kind'),
        scope: placeholder('scope'),
        createdAt: placeholder('createdAt'),
      })
      .onConflictDoNothing({ target: [messages.idempotencyKey, messages.senderId] })
      .prepare(),
    queue: orm
      .insert(deliveries)
      .values({
        messageId: placeholder('messageId'),
        recipientId: placeholder('recipientId'),
        senderId: placeholder('senderId'),
        digest: placeholder('digest'),
        state: 'queued',
        queuedAt: placeholder('queuedAt'),
        expiresAt: placeholder('expiresAt'),
        replyBy: placeholder('replyBy'),
        changedSeq: placeholder('changedSeq'),
      })
      .prepare(),
  }
}
