import { TRPCError } from '@trpc/server'
import type { SeatRow } from '#db/peer-rows'
import type { Context } from './context.ts'
import { watchMailbox } from './mailbox-feed.ts'
import { feedInput } from './shapes/common.ts'
import {
  ackInput,
  changed,
  consumeInput,
  idsInput,
  offerInput,
  page,
  peeked,
  peekInput,
  readInput,
  requeueInput,
  settled,
  taken,
  takenInput,
  unreadMail,
  type Offer,
  type Settled,
} from './shapes/mailbox.ts'
import { wholeCharacters } from './text.ts'
import { peerProcedure, router } from './trpc.ts'
import { toMail, toUnread } from './views.ts'

// What a message goes through names the type of its answer: a check of each is a twentieth of an exchange, and
// test/router/answer-shapes.test.ts holds them to their schemas.
export const mailboxRouter = router({
  /** The atomic step of delivery: offers waiting mail to exactly one caller, under a lease of 30 seconds. */
  consume: peerProcedure.input(consumeInput).mutation(async ({ ctx, input }): Promise<Offer> => {
    const { mailbox, queue } = ctx.database
    if (!mailbox.mayHaveMail(ctx.self.id)) return { offerId: null, messages: [], remaining: 0 }
    const result = await queue.run(() => mailbox.consume({ recipientId: ctx.self.id, ...input }))
    return {
      offerId: result.offerId ?? null,
      messages: result.messages.map(toMail),
      remaining: result.remaining,
    }
  }),

  /** Says that the messages of an offer have reached their reader: they are delivered now, but for those not shown. */
  ack: peerProcedure.input(ackInput).mutation(({ ctx, input }): Promise<Settled> => {
    const { mailbox, queue } = ctx.database
    return queue.run(() => ({
      settled: mailbox.acknowledge(ctx.self.id, input.offerId, input.unshown),
      remaining: mailbox.queued(ctx.self.id),
    }))
  }),

  /** Gives an offer back that could not be shown: its messages wait again at once. */
  release: peerProcedure
    .input(offerInput)
    .output(settled)
    .mutation(({ ctx, input }) => {
      const { mailbox, queue } = ctx.database
      return queue.run(() => ({
        settled: mailbox.release(ctx.self.id, input.offerId),
        remaining: mailbox.queued(ctx.self.id),
      }))
    }),

  /** Says that messages were seen in their reader's context: they are read, once. Batches are best. */
  confirm: peerProcedure
    .input(idsInput)
    .output(changed)
    .mutation(({ ctx, input }) => {
      const { mailbox, queue } = ctx.database
      return queue.run(() => ({ settled: mailbox.confirm(ctx.self.id, input.ids) }))
    }),

  /** Takes delivered mail back that its reader did not get to: it waits again. */
  requeue: peerProcedure
    .input(requeueInput)
    .output(changed)
    .mutation(({ ctx, input }) => {
      const { mailbox, queue } = ctx.database
      return queue.run(() => ({ settled: mailbox.requeue(ctx.self.id, input.ids, input.why) }))
    }),

  /** What is on offer, or delivered and not known to be read, as the feed sends it. */
  unread: peerProcedure
    .output(unreadMail)
    .query(({ ctx }) => ({ mail: ctx.database.mailbox.unread(ctx.self.id).map(toUnread) })),

  /** Looks at what waits without taking it. */
  peek: peerProcedure
    .input(peekInput)
    .output(peeked)
    .query(({ ctx, input }) => ({
      messages: ctx.database.mailbox.peek(ctx.self.id, input?.limit ?? 20).map(toMail),
      waiting: ctx.database.peers.get(ctx.self.id)!.waiting,
    })),

  /** What the caller has taken, newest first, as long as it is kept. */
  taken: peerProcedure
    .input(takenInput)
    .output(taken)
    .query(({ ctx, input: { before = Number.MAX_SAFE_INTEGER, limit } }) => ({
      messages: ctx.database.mailbox.taken(ctx.self.id, { before, limit }).map(toMail),
    })),

  /** A part of one message that the caller received, for what was too long to be shown at once. */
  read: peerProcedure
    .input(readInput)
    .output(page)
    .query(({ ctx, input }) => {
      const row = ctx.database.messages.received(ctx.self.id, input.messageId)
      if (!row) {
        throw new TRPCError({ code: 'NOT_FOUND', message: whyUnreadable(ctx, ctx.self, input.messageId) })
      }
      const start = wholeCharacters(row.body, input.offset)
      const cut = wholeCharacters(row.body, start + input.limit)
      // A page too small for its first character gets that whole: the next one must come further.
      const end = cut > start || start === row.chars ? cut : start + 2
      const text = row.body.slice(start, end)
      return {
        mail: { ...toMail(row), text },
        offset: input.offset,
        total: row.chars,
        next: end < row.chars ? end : null,
      }
    }),

  /**
   * The link of a session: how much mail waits, which is not known to be read, and what became of what it sent. Who
   * holds it open is online.
   */
  watch: peerProcedure
    .input(feedInput)
    .subscription(({ ctx, input, signal }) =>
      watchMailbox(ctx, ctx.self.id, { lastEventId: input?.lastEventId, signal }),
    ),
})

/** Why the caller cannot read a message; of one between others it learns nothing. */
function whyUnreadable({ database }: Context, self: SeatRow, messageId: number): string {
  const rows = database.messages.receipts(messageId)
  if (rows.some((row) => row.recipientId === self.id && row.state === 'queued')) {
    return `Message ${messageId} still waits for you: take your mail first, which brings it.`
  }
  if (rows.some((row) => row.senderId === self.id && row.kind === 'message')) {
    return `Message ${messageId} is one that you sent: ask for its status.`
  }
  return `You have no message ${messageId}, or it was settled over 30 days ago.`
}
