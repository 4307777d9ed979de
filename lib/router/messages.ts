import { TRPCError } from '@trpc/server'
import type { Refusal, Sent } from '#db/messages'
import type { SeatRow } from '#db/peer-rows'
import type { Receipt as ReceiptRow } from '#db/receipt-rows'
import { findWorktrees, resolveAddress } from './address.ts'
import { resolveAudience } from './audience.ts'
import { mayRead, toReader } from './bodies.ts'
import type { Context } from './context.ts'
import { watchMessages } from './messages-feed.ts'
import { toRefusal } from './refusal.ts'
import { feedInput } from './shapes/common.ts'
import {
  explainSize,
  history,
  historyInput,
  messageInput,
  messageStatus,
  sendInput,
  threads,
  threadsInput,
  wholeMessage,
  type LogEntry,
  type Sent as SentAnswer,
  type Receipt,
} from './shapes/messages.ts'
import { findCaller, peerProcedure, procedure, router } from './trpc.ts'
import { chargeRows, takeTurn } from './turn.ts'
import { toLogEntry, toReceipt, toRecipient } from './views.ts'

export const messagesRouter = router({
  /** Queues a message for one or several peers, all or none; it is safe on disk when this answers. */
  send: peerProcedure.input(sendInput).mutation(async ({ ctx, input }): Promise<SentAnswer> => {
    const { database, self } = ctx
    const { replyTo, urgency, expectsReplyWithin: minutes } = input
    checkSize(input.message)
    const { recipients, scope } = resolveAudience(ctx, self, input)
    checkReply(ctx, self, replyTo)
    if (minutes !== undefined && urgency === 'fyi') throw new TRPCError(ASKS_BY_FYI)
    const draft = {
      senderId: self.id,
      recipientIds: recipients.map((peer) => peer.id),
      idempotencyKey: input.idempotencyKey,
      // Half a character is kept as another one: a repeated send must say the same.
      body: input.message.toWellFormed(),
      urgency,
      replyTo,
      scope,
      replyWithin: minutes === undefined ? undefined : minutes * 60_000,
    }
    // The receipts as they are committed: another write of the same commit may have offered the message.
    const [outcome, receipts] = await database.queue.run(
      () => database.messages.send(draft),
      (sent) => [sent, isStored(sent) ? database.messages.receipts(sent.messageId) : []] as const,
    )
    if (!isStored(outcome)) throw toRefusal(outcome, recipients, scope)
    return {
      messageId: outcome.messageId,
      repeated: outcome.kind === 'repeated',
      scope: scope ?? null,
      recipients: toReceipts(ctx, receipts),
      worktrees: scope === undefined ? toWorktrees(ctx, self, recipients) : [],
    }
  }),

  /** Where a message that the caller sent stands, for each recipient. */
  status: peerProcedure
    .input(messageInput)
    .output(messageStatus)
    .query(({ ctx, input }) => ({
      messageId: input.messageId,
      recipients: toReceipts(ctx, ownReceipts(ctx, ctx.self, input.messageId)),
    })),

  /** Takes back what nobody was offered yet; the receipts tell what could be taken back. */
  retract: peerProcedure
    .input(messageInput)
    .output(messageStatus)
    .mutation(async ({ ctx, input }) => {
      ownReceipts(ctx, ctx.self, input.messageId)
      const rows = await ctx.database.queue.run(() =>
        ctx.database.messages.retract(ctx.self.id, input.messageId),
      )
      return { messageId: input.messageId, recipients: toReceipts(ctx, rows) }
    }),

  /** The newest messages of the network with their receipts, newest first. */
  history: procedure
    .input(historyInput)
    .output(history)
    .query(async ({ ctx, input }) => {
      await takeTurn(ctx)
      const { messages } = ctx.database
      const { limit, before = Number.MAX_SAFE_INTEGER } = input
      if (input.with === undefined) {
        return toHistory(ctx, messages.history({ before, limit }), { limit, belongs: () => true })
      }
      const machineId = findCaller(ctx)?.machineId ?? ctx.hub.machineId
      const peerId = resolveAddress(ctx.database, input.with, machineId).id
      const rows = messages.historyOf({ peerId, before, limit })
      const isParty = (row: ReceiptRow) => row.senderId === peerId || row.recipientId === peerId
      return toHistory(ctx, rows, { limit, belongs: isParty })
    }),

  /** What the caller sent, or what of its conversations has no answer yet, newest first. */
  threads: peerProcedure
    .input(threadsInput)
    .output(threads)
    .query(async ({ ctx, input: { show, limit } }) => {
      await takeTurn(ctx)
      const { messages } = ctx.database
      const { id: peerId, heldSince } = ctx.self
      const { sent, owed } =
        show === 'unanswered'
          ? messages.unanswered({ peerId, limit })
          : { sent: messages.sentBy({ peerId, before: Number.MAX_SAFE_INTEGER, limit }), owed: [] }
      const toList = (rows: ReceiptRow[]) => toLogEntries(ctx, rows)
      chargeRows(ctx, sent.length + owed.length)
      return { sent: toList(sent), owed: toList(owed), heldSince }
    }),

  /** One message as a whole, with its receipts; of one that the caller may not read, all but the text. */
  get: procedure
    .input(messageInput)
    .output(wholeMessage)
    .query(({ ctx, input: { messageId } }) => {
      const { messages } = ctx.database
      const rows = messages.receipts(messageId)
      const whole = messages.whole(messageId)
      if (!whole || rows.length === 0)
        throw new TRPCError({ code: 'NOT_FOUND', message: toUnknown(messageId) })
      const reader = toReader(ctx)
      const isOpen = rows.some((row) => mayRead(ctx, reader, row))
      const [{ from, kind, urgency, replyTo, chars }] = toLogEntries(ctx, rows) as [LogEntry]
      return {
        messageId,
        from,
        kind,
        urgency,
        replyTo,
        chars,
        sentAt: whole.createdAt,
        text: isOpen ? whole.body : '',
        recipients: toLogEntries(ctx, rows),
      }
    }),

  /** Every message of the network as it is sent and as its receipts change. */
  watch: procedure
    .input(feedInput)
    .subscription(({ ctx, input, signal }) => watchMessages(ctx, input?.lastEventId, signal)),
})

const isStored = (outcome: Sent | Refusal): outcome is Sent =>
  outcome.kind === 'sent' || outcome.kind === 'repeated'

/** Where else of the repository of a recipient that is away sessions run: whoever wrote to the repository may mean one. */
function toWorktrees({ database }: Context, self: SeatRow, recipients: SeatRow[]): string[] {
  const away = recipients.filter(
    (peer) => peer.kind === 'session' && !peer.online && peer.repository !== null,
  )
  if (away.length === 0) return []
  return away
    .flatMap(({ name, machineId }) =>
      findWorktrees(database, name).filter((peer) => peer.machineId === machineId && peer.id !== self.id),
    )
    .map((peer) => `${peer.name}@${peer.host}`)
    .slice(0, MOST_WORKTREES)
}

const MOST_WORKTREES = 10

function checkSize(message: string) {
  const trouble = explainSize(message)
  if (trouble !== undefined) throw new TRPCError({ code: 'PAYLOAD_TOO_LARGE', message: trouble })
}

const ASKS_BY_FYI = {
  code: 'BAD_REQUEST',
  message:
    'Mail for information (fyi) asks for no answer: leave out the time for one, or use urgency normal.',
} as const

function checkReply(ctx: Context, self: SeatRow, replyTo: number | undefined) {
  if (replyTo === undefined) return
  const rows = ctx.database.messages.receipts(replyTo)
  const note = rows.find((row) => row.kind === 'note' && row.senderId === self.id)
  if (note) {
    throw new TRPCError({
      code: 'BAD_REQUEST',
      message: `Message ${replyTo} is a note of claude-peers, whom nobody can answer: it is about message ${note.replyTo}.`,
    })
  }
  if (rows.some((row) => row.senderId === self.id || row.recipientId === self.id)) return
  throw new TRPCError({
    code: 'BAD_REQUEST',
    message: `reply_to ${replyTo} is no message that you sent or received: use an id from your mail, or leave it out.`,
  })
}

function ownReceipts(ctx: Context, self: SeatRow, messageId: number): ReceiptRow[] {
  const isOwn = (row: ReceiptRow) => row.senderId === self.id && row.kind === 'message'
  const rows = ctx.database.messages.receipts(messageId).filter(isOwn)
  if (rows.length > 0) return rows
  throw new TRPCError({
    code: 'NOT_FOUND',
    message: `You sent no message ${messageId}, or it was settled over 30 days ago. Use the message_id that send returned.`,
  })
}

function toReceipts(ctx: Context, rows: ReceiptRow[]): Receipt[] {
  return rows.map((row) => toReceipt(row, toRecipient(ctx, row), ctx.hub))
}

/** A page ends with a whole message: the next one starts before it, and would leave its other recipients out. */
function toHistory(
  ctx: Context,
  rows: ReceiptRow[],
  { limit, belongs }: { limit: number; belongs: (row: ReceiptRow) => boolean },
): { entries: LogEntry[]; nextCursor: number | null } {
  const last = rows.length < limit ? undefined : rows.at(-1)
  const told = new Set(rows.filter((row) => row.messageId === last?.messageId).map((row) => row.recipientId))
  const rest = last ? ctx.database.messages.receipts(last.messageId) : []
  const missing = rest.filter((row) => belongs(row) && !told.has(row.recipientId))
  const entries = toLogEntries(ctx, [...rows, ...missing])
  chargeRows(ctx, entries.length)
  return { entries, nextCursor: last?.messageId ?? null }
}

function toLogEntries(ctx: Context, rows: ReceiptRow[]): LogEntry[] {
  const reader = toReader(ctx)
  return rows.map((row) => toLogEntry(ctx, row, reader))
}

const toUnknown = (messageId: number) =>
  `There is no message ${messageId}, or it was settled over 30 days ago: "claude-peers log" shows the newest.`
