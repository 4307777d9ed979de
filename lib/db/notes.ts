import { randomUUID } from 'node:crypto'
import type { Connection } from './connection.ts'
import { createMailWrites, toDigest } from './mail-writes.ts'

/** The network's word to a peer about a message that it sent. */
export type Note = { to: string; about: number; body: string; urgency: 'normal' | 'fyi' }

/**
 * Makes the writer of notes, for inside `queue.run`: it puts a note into the mailbox of a peer, which is its sender as
 * well, also when that mailbox is full; returns the note's id.
 */
export function createNotes(connection: Connection) {
  const mail = createMailWrites(connection)

  return function send({ to, about, body, urgency }: Note): number {
    const queuedAt = connection.now()
    const messageId = mail.store({
      senderId: to,
      idempotencyKey: randomUUID(),
      body,
      urgency,
      replyTo: about,
      kind: 'note',
      scope: null,
      createdAt: queuedAt,
    })!
    const digest = toDigest(body)
    mail.queue({ messageId, senderId: to, recipientId: to, digest, queuedAt, replyBy: null })
    return messageId
  }
}
