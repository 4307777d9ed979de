import { randomUUID } from 'node:crypto'
import { and, eq, gt, inArray, isNull, sql, type SQL } from 'drizzle-orm'
import { noteMail, type MailChange } from './bell.ts'
import type { Connection } from './connection.ts'
import { CONFIRM_MS, LEASE_MS, REQUEUED_TTL_MS } from './limits.ts'
import { chooseMail, type ChoiceOptions } from './mail-choice.ts'
import { selectMail, type Mail, type Unread } from './mail-rows.ts'
import { oneDelivery } from './one-delivery.ts'
import { deliveries, isOneOf } from './schema.ts'

export type Mailbox = ReturnType<typeof createMailbox>

/** One atomic offer: `messages` belong to the caller until the lease ends; `remaining` still wait in the queue. */
export type Offer = { offerId: string | undefined; messages: Mail[]; remaining: number; leaseUntil: number }

/**
 * Why delivered mail waits again: the client `dropped` it, certainly before any model saw it (`unseen`), or the session
 * `ended`.
 */
export type Requeue = 'dropped' | 'unseen' | 'ended'

export type ConsumeOptions = ChoiceOptions & { recipientId: string }

/** The receiving side of mail: every function is synchronous and belongs inside `queue.run`, but for the reads. */
export function createMailbox(connection: Connection) {
  const { now, nextSeq, bell, meter, fresh } = connection
  const reads = selectMail(connection)
  const writes = prepare(connection)

  /** Writes a change of one delivery and tells whom it concerns; whether there was one. */
  function change(
    mail: { messageId: number; senderId: string; recipientId: string },
    write: (one: MailChange) => { changes: number },
  ): boolean {
    const one = { ...mail, changedSeq: nextSeq() }
    if (write(one).changes === 0) return false
    noteMail(bell, one)
    return true
  }

  /** Two callers may find the lease over at once; the sweeper is only the one who would find it without a caller. */
  function requeue(recipientId: string, over: { messageId: number; senderId: string }[]) {
    for (const { messageId, senderId } of over)
      change({ messageId, senderId, recipientId }, (one) => writes.requeue.run(one))
    if (meter && over.length > 0) bell.noteWork(() => meter.leaseOver(over.length))
  }

  /** Changes messages, tells whom it concerns, and returns how many changed. */
  function changeEach(
    recipientId: string,
    messageIds: number[],
    write: (one: MailChange) => { senderId: string } | undefined,
  ): number {
    let count = 0
    for (const messageId of messageIds) {
      const change = { messageId, recipientId, changedSeq: nextSeq() }
      const written = write(change)
      if (!written) continue
      noteMail(bell, { ...change, ...written })
      count++
    }
    return count
  }

  const hasMail = (recipientId: string): boolean => reads.any.get({ recipientId, now: now() }) !== undefined

  return {
    /** False when a consume would give nothing; a read, so that an empty mailbox costs no transaction. */
    hasMail,
    /** The same, but true without a look where mail has just come; of what is gone again that is known too late. */
    mayHaveMail: (recipientId: string): boolean => fresh.has(recipientId) || hasMail(recipientId),
    /** How many messages wait for the next consume. */
    queued: (recipientId: string): number => reads.queued.get({ recipientId })!.count,
    /** How many messages the next consume could give that are worth waking for: not `fyi`, nor offered thrice in vain. */
    urgent: (recipientId: string): number => reads.urgent.get({ recipientId })!.count,
    /** What waits (queued or on offer), oldest first, without taking it. */
    peek: (recipientId: string, limit: number): Mail[] => reads.waiting({ recipientId, limit }),

    /** What was taken, newest first: delivered or read, and still kept. */
    taken: (recipientId: string, options: { before: number; limit: number }): Mail[] =>
      reads.taken({ recipientId, ...options }),

    /** The newest mail, of the last week, that is on offer or delivered and not known to be read. */
    unread(recipientId: string): Unread[] {
      const onOffer = reads.onOffer.all({ recipientId })
      const delivered = reads.delivered.all({ recipientId, after: now() - CONFIRM_MS })
      return [
        ...onOffer.map((one) => ({ ...one, state: 'offered' as const })),
        ...delivered.map((one) => ({ ...one, state: 'delivered' as const })),
      ].map((one) => ({ ...one, offeredAgo: now() - one.offeredAt }))
    },

    /** Offers the oldest mail that fits to exactly one caller, as `chooseMail` says. */
    consume(options: ConsumeOptions): Offer {
      const { recipientId } = options
      fresh.delete(recipientId)
      const leaseUntil = now() + LEASE_MS
      const { over, chosen, remaining } = chooseMail(reads.all.all({ recipientId }), now(), options)
      requeue(recipientId, over)
      if (chosen.length === 0) return { offerId: undefined, messages: [], remaining, leaseUntil }
      const offerId = randomUUID()
      for (const { messageId, senderId } of chosen) {
        change({ messageId, senderId, recipientId }, (one) =>
          writes.offer.run({ ...one, offerId, leaseUntil, offeredAt: now() }),
        )
      }
      const ids = chosen.map((one) => one.messageId).toSorted((one, other) => one - other)
      const messages = ids.map((messageId) => reads.one({ recipientId, messageId })!)
      return { offerId, messages, remaining, leaseUntil }
    },

    /**
     * Makes an offer delivered; returns how many messages that settled. A late acknowledgement counts as long as
     * nobody else was offered the same messages: they did reach their reader. What the caller had no room to show
     * waits again as if it had not been offered.
     */
    acknowledge(recipientId: string, offerId: string, unshown: number[] = []): number {
      changeEach(recipientId, unshown, (one) => writes.putBack.get({ ...one, offerId }))
      const settled = settleOffer(recipientId, offerId, (one) =>
        writes.deliver.run({ ...one, settledAt: now() }),
      )
      if (meter) for (const { queuedAt } of settled) bell.noteWork(() => meter.delivered(now() - queuedAt))
      return settled.length
    },

    /** Gives an offer back, because its output could not be shown; the messages wait again, in their order. */
    release(recipientId: string, offerId: string): number {
      return settleOffer(recipientId, offerId, (one) => writes.giveBack.run(one)).length
    },

    /**
     * Says that messages were seen in their reader's context; returns how many are read by that. It is the better
     * proof, so it also settles what was offered and never acknowledged; what was never offered stays as it is.
     */
    confirm(recipientId: string, messageIds: number[]): number {
      return changeEach(recipientId, messageIds, (one) => writes.confirm.get({ ...one, readAt: now() }))
    },

    /**
     * Takes delivered messages back that their reader did not get to; returns how many wait again by that. What it has
     * answered stays as it is. They keep their place, wait a day at least, and come marked as possibly seen unless `why`
     * is `unseen`. A session that has `ended` has used up none of the wakes of the next one.
     */
    requeue(recipientId: string, messageIds: number[], why: Requeue = 'dropped'): number {
      const write = { dropped: writes.takeBack, unseen: writes.takeBackUnseen, ended: writes.takeBackEnded }[
        why
      ]
      return changeEach(recipientId, messageIds, (one) =>
        write.get({ ...one, now: now(), until: now() + REQUEUED_TTL_MS }),
      )
    },
  }

  /** Gives what of an offer was still to be settled, and was. */
  function settleOffer(
    recipientId: string,
    offerId: string,
    settle: (one: MailChange) => { changes: number },
  ) {
    const found = reads.ofOffer.all({ recipientId, offerId })
    return found
      .toSorted((one, other) => one.messageId - other.messageId)
      .filter(({ messageId, senderId }) => change({ messageId, senderId, recipientId }, settle))
  }
}

function prepare({ orm }: Connection) {
  const value = (name: string) => sql`${sql.placeholder(name)}`
  // Without its offer: a late acknowledgement must not settle it again.
  const takeBack = (more: { attempts?: SQL; earlierAttempts?: SQL }) =>
    orm
      .update(deliveries)
      .set({
        state: 'queued',
        offerId: null,
        settledAt: null,
        requeuedAt: value('now'),
        expiresAt: sql`max(${deliveries.expiresAt}, ${sql.placeholder('until')})`,
        changedSeq: value('changedSeq'),
        ...more,
      })
      .where(and(oneDelivery, eq(deliveries.state, 'delivered'), isNull(deliveries.replyId)))
      .returning({ senderId: deliveries.senderId })
      .prepare()
  return {
    offer: orm
      .update(deliveries)
      .set({
        state: 'offered',
        offerId: value('offerId'),
        leaseUntil: value('leaseUntil'),
        offeredAt: value('offeredAt'),
        attempts: sql`${deliveries.attempts} + 1`,
        changedSeq: value('changedSeq'),
      })
      .where(oneDelivery)
      .prepare(),
    deliver: orm
      .update(deliveries)
      .set({
        state: 'delivered',
        leaseUntil: null,
        settledAt: value('settledAt'),
        changedSeq: value('changedSeq'),
      })
      .where(and(oneDelivery, inArray(deliveries.state, ['queued', 'offered'])))
      .prepare(),
    requeue: orm
      .update(deliveries)
      .set({ state: 'queued', leaseUntil: null, changedSeq: value('changedSeq') })
      .where(and(oneDelivery, eq(deliveries.state, 'offered')))
      .prepare(),
    // Unlike a lease that is over: who gave the offer back has shown nothing and can acknowledge nothing.
    giveBack: orm
      .update(deliveries)
      .set({ state: 'queued', leaseUntil: null, offerId: null, changedSeq: value('changedSeq') })
      .where(and(oneDelivery, eq(deliveries.state, 'offered')))
      .prepare(),
    putBack: orm
      .update(deliveries)
      .set({
        state: 'queued',
        leaseUntil: null,
        offerId: null,
        attempts: sql`${deliveries.attempts} - 1`,
        changedSeq: value('changedSeq'),
      })
      .where(
        and(
          oneDelivery,
          eq(deliveries.offerId, sql.placeholder('offerId')),
          inArray(deliveries.state, ['queued', 'offered']),
        ),
      )
      .returning({ senderId: deliveries.senderId })
      .prepare(),
    confirm: orm
      .update(deliveries)
      .set({
        state: 'read',
        leaseUntil: null,
        settledAt: sql`coalesce(${deliveries.settledAt}, ${sql.placeholder('readAt')})`,
        readAt: value('readAt'),
        changedSeq: value('changedSeq'),
      })
      .where(
        and(
          oneDelivery,
          gt(deliveries.attempts, 0),
          isOneOf(deliveries.state, ['queued', 'offered', 'delivered']),
        ),
      )
      .returning({ senderId: deliveries.senderId })
      .prepare(),
    takeBack: takeBack({}),
    takeBackUnseen: takeBack({
      attempts: sql`${deliveries.attempts} - 1`,
      earlierAttempts: sql`${deliveries.earlierAttempts} - 1`,
    }),
    takeBackEnded: takeBack({ earlierAttempts: sql`${deliveries.attempts}` }),
  }
}
