import { sql } from 'drizzle-orm'
import type { Connection } from './connection.ts'
import { deliveries, messages } from './schema.ts'

/** The prepared pair that stores a message, unless its sender has used its key, and queues it for one recipient. */
export function prepareMail({ orm }: Connection) {
  const placeholder = sql.placeholder
  return {
    insert: orm
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
      .onConflictDoNothing({ target: [messages.senderId, messages.idempotencyKey] })
      .returning({ id: messages.id })
      .prepare(),
    queue: orm
      .insert(deliveries)
      .values({
        messageId: placeholder('messageId'),
        recipientId: placeholder('recipientId'),
        senderId: placeholder('senderId'),
        state: 'queued',
        queuedAt: placeholder('queuedAt'),
        expiresAt: placeholder('expiresAt'),
        replyBy: placeholder('replyBy'),
        changedSeq: placeholder('changedSeq'),
      })
      .prepare(),
  }
}
