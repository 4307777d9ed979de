/**
 * Answers, and the questions that wait for one. A question is the `reply_by` of a delivery; it is settled once, by the
 * first of: an answer of its recipient, the note that none came in time, or its being taken back. The note and the
 * mark that it was sent are one transaction, so that it is sent exactly once, whenever the hub is killed.
 */
import { aliasedTable, and, desc, eq, gt, isNull, lte, ne, sql } from 'drizzle-orm'
import type { Connection } from './connection.ts'
import { createNotes } from './notes.ts'
import { oneDelivery } from './one-delivery.ts'
import { deliveries, machines, messages, peers } from './schema.ts'

/** A message that answers: `to` is who sent what it answers. */
type Answer = { id: number; from: string; to: string }

type Overdue = {
  messageId: number
  senderId: string
  recipientId: string
  recipient: string
  state: 'queued' | 'offered' | 'delivered' | 'read' | 'expired' | 'retracted'
  queuedAt: number
  replyBy: number
}

/** Questions settled in one sweep at most. */
const NOTES_PER_SWEEP = 500

/** What becomes of answers and questions; every function belongs inside `queue.run`. */
export function createReplies(connection: Connection) {
  const { now, nextSeq, bell } = connection
  const statements = prepare(connection)
  const sendNote = createNotes(connection)

  function setReply(messageId: number, { from, to }: Answer, replyId: number | null) {
    const change = { messageId, senderId: to, recipientId: from, changedSeq: nextSeq() }
    if (statements.setReply.run({ ...change, replyId }).changes > 0) bell.noteSent(change)
  }

  return {
    /** Notes that a message was answered, when its recipient is who answers its sender. */
    answer: (messageId: number, answer: Answer) => setReply(messageId, answer, answer.id),

    /** Notes that an answer was taken back: the one before counts, or none. */
    reopen(messageId: number, answer: Answer) {
      const { from, to, id } = answer
      const before = statements.answerBefore.get({ messageId, from, to, id })
      setReply(messageId, answer, before?.id ?? null)
    },

    /** Tells each sender whose time is over without an answer, by a note in its own mailbox; returns how many. */
    settleOverdue(): number {
      const overdue: Overdue[] = statements.overdue.all({ now: now() })
      for (const ask of overdue) {
        const { messageId, senderId, recipientId } = ask
        const noteId = sendNote({ to: senderId, about: messageId, body: toNote(ask), urgency: 'normal' })
        const change = { messageId, senderId, recipientId, changedSeq: nextSeq() }
        statements.setNote.run({ ...change, noteId })
        bell.noteSent(change)
      }
      return overdue.length
    },
  }
}

function toNote({ messageId, recipient, state, queuedAt, replyBy }: Overdue): string {
  const minutes = Math.round((replyBy - queuedAt) / 60_000)
  const time = minutes === 1 ? 'a minute' : `${minutes} minutes`
  return `No answer to message ${messageId} came from ${recipient} within ${time}. ${STANDS[state]} Go on without it, ask again or ask somebody else; an answer that comes later still reaches you.`
}

const STANDS = {
  queued: 'It has not been delivered yet: it waits in the mailbox.',
  offered: 'It is being delivered just now.',
  delivered: 'It was delivered.',
  read: 'It was delivered and read.',
  expired: 'It expired: nobody ever took it from the mailbox.',
  retracted: 'It was taken back.',
} as const

function prepare({ orm }: Connection) {
  const placeholder = sql.placeholder
  const value = (name: string) => sql`${placeholder(name)}`
  const answers = aliasedTable(deliveries, 'answers')
  return {
    setReply: orm
      .update(deliveries)
      .set({ replyId: value('replyId'), changedSeq: value('changedSeq') })
      .where(and(oneDelivery, eq(deliveries.senderId, placeholder('senderId'))))
      .prepare(),
    // Answers are younger than what they answer: the index of the pair is read from there on.
    answerBefore: orm
      .select({ id: messages.id })
      .from(answers)
      .innerJoin(messages, eq(messages.id, answers.messageId))
      .where(
        and(
          eq(answers.senderId, placeholder('from')),
          eq(answers.recipientId, placeholder('to')),
          gt(answers.messageId, placeholder('messageId')),
          ne(answers.messageId, placeholder('id')),
          ne(answers.state, sql`'retracted'`),
          eq(messages.replyTo, placeholder('messageId')),
        ),
      )
      .orderBy(desc(answers.messageId))
      .limit(1)
      .prepare(),
    overdue: orm
      .select({
        messageId: deliveries.messageId,
        senderId: deliveries.senderId,
        recipientId: deliveries.recipientId,
        recipient: sql<string>`${peers.name} || '@' || ${machines.host}`,
        state: deliveries.state,
        queuedAt: deliveries.queuedAt,
        replyBy: sql<number>`${deliveries.replyBy}`,
      })
      .from(deliveries)
      .innerJoin(peers, eq(peers.id, deliveries.recipientId))
      .innerJoin(machines, eq(machines.id, peers.machineId))
      .where(
        and(
          // What the index of open questions says, in its words: SQLite takes it for nothing less.
          sql`${deliveries.replyBy} is not null`,
          isNull(deliveries.replyId),
          isNull(deliveries.noteId),
          sql`${deliveries.state} <> 'retracted'`,
          lte(deliveries.replyBy, placeholder('now')),
        ),
      )
      .limit(NOTES_PER_SWEEP)
      .prepare(),
    setNote: orm
      .update(deliveries)
      .set({ noteId: value('noteId'), changedSeq: value('changedSeq') })
      .where(oneDelivery)
      .prepare(),
  }
}
