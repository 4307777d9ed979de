/**
 * The end of mail that nobody takes. Only the sweep expires: what is due and was not swept yet is delivered as ever, so
 * that a session which wakes together with its machine gets its mail. The sender gets one note for each message, in the
 * transaction that expires it.
 */
import { and, asc, eq, isNull, lt, lte, sql } from 'drizzle-orm'
import { noteMail } from './bell.ts'
import type { Connection } from './connection.ts'
import { GRACE_MS } from './limits.ts'
import { createNotes } from './notes.ts'
import { oneDelivery } from './one-delivery.ts'
import { deliveries, messages } from './schema.ts'

type Outdated = {
  messageId: number
  senderId: string
  recipientId: string
  kind: 'message' | 'note'
  urgency: 'normal' | 'fyi'
  attempts: number
  queuedAt: number
  isOpenQuestion: boolean
}

const MOST_NAMED = 10
const HOUR_MS = 60 * 60 * 1_000

/** Expiry and what delays it; both functions belong inside `queue.run`. */
export function createExpiry(connection: Connection) {
  const { now, nextSeq, bell, seat } = connection
  const statements = prepare(connection)
  const sendNote = createNotes(connection)

  function settle(group: Outdated[], noteId: number | null) {
    for (const { messageId, senderId, recipientId, isOpenQuestion } of group) {
      const change = { messageId, senderId, recipientId, changedSeq: nextSeq() }
      statements.expire.run({ ...change, now: now() })
      // The note says all that there is to say about an answer: none can come.
      if (noteId !== null && isOpenQuestion) statements.setNote.run({ messageId, recipientId, noteId })
      noteMail(bell, change)
    }
  }

  function toNote(group: Outdated[]): number | null {
    const { messageId, senderId, urgency, kind } = group[0]!
    if (kind === 'note') return null
    const names = group.map(({ recipientId }) => {
      const { name, host } = seat(recipientId)!
      return `${name}@${host}`
    })
    return sendNote({ to: senderId, about: messageId, urgency, body: describe(group, names, now()) })
  }

  return {
    /** Expires mail whose time is over, about `limit` deliveries, and notifies its senders; returns how many expired. */
    expire(limit: number): number {
      const found: Outdated[] = statements.outdated.all({ now: now(), limit })
      // The recipients of one message are told of together: those of the last one may go on behind the limit.
      const last = found.length === limit ? found.at(-1)!.messageId : undefined
      const rest = last === undefined ? [] : statements.outdatedOf.all({ now: now(), messageId: last })
      const whole = [...found.filter((one) => one.messageId !== last), ...rest]
      for (const group of Map.groupBy(whole, (one) => one.messageId).values()) settle(group, toNote(group))
      return whole.length
    },

    /** Lets what is due within the hour wait an hour from now; returns how much that is. */
    grantGrace: (): number => statements.extend.run({ until: now() + GRACE_MS }).changes,
  }
}

function describe(group: Outdated[], names: string[], now: number): string {
  const [{ messageId, queuedAt }] = group as [Outdated]
  const more = names.length - MOST_NAMED
  const to = names.slice(0, MOST_NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '')
  const wasOffered = group.some(({ attempts }) => attempts > 0)
  const fate = wasOffered
    ? 'It was offered, but no delivery was confirmed: it may have been seen.'
    : 'It was never delivered.'
  return `Message ${messageId} to ${to} expired after ${toDuration(now - queuedAt)}. ${fate} Send it again if it still matters.`
}

function toDuration(ms: number): string {
  const hours = Math.round(ms / HOUR_MS)
  if (hours < 48) return hours === 1 ? '1 hour' : `${hours} hours`
  return `${Math.round(hours / 24)} days`
}

function prepare({ orm }: Connection) {
  const placeholder = sql.placeholder
  const value = (name: string) => sql`${placeholder(name)}`
  const isOutdated = and(
    isNull(deliveries.settledAt),
    eq(deliveries.state, sql`'queued'`),
    lte(deliveries.expiresAt, placeholder('now')),
  )
  const outdated = () =>
    orm
      .select({
        messageId: deliveries.messageId,
        senderId: deliveries.senderId,
        recipientId: deliveries.recipientId,
        kind: messages.kind,
        urgency: messages.urgency,
        attempts: deliveries.attempts,
        queuedAt: deliveries.queuedAt,
        isOpenQuestion: sql`${deliveries.replyBy} is not null and ${deliveries.noteId} is null`.mapWith(
          Boolean,
        ),
      })
      .from(deliveries)
      .innerJoin(messages, eq(messages.id, deliveries.messageId))
      .$dynamic()
  return {
    outdated: outdated()
      .where(isOutdated)
      .orderBy(asc(deliveries.expiresAt), asc(deliveries.messageId))
      .limit(placeholder('limit'))
      .prepare(),
    outdatedOf: outdated()
      .where(and(eq(deliveries.messageId, placeholder('messageId')), isOutdated))
      .prepare(),
    expire: orm
      .update(deliveries)
      .set({ state: 'expired', settledAt: value('now'), changedSeq: value('changedSeq') })
      .where(oneDelivery)
      .prepare(),
    setNote: orm
      .update(deliveries)
      .set({ noteId: value('noteId') })
      .where(oneDelivery)
      .prepare(),
    extend: orm
      .update(deliveries)
      .set({ expiresAt: value('until') })
      .where(and(isNull(deliveries.settledAt), lt(deliveries.expiresAt, placeholder('until'))))
      .prepare(),
  }
}
