import { TRPCError, type TrackedEnvelope } from '@trpc/server'
import { MESSAGES_TOPIC } from '#db/bell'
import { MAX_MESSAGE_BYTES, MAX_SENDS_PER_MINUTE, MAX_WAITING } from '#db/limits'
import type { Refusal } from '#db/messages'
import type { PeerRow } from '#db/peer-rows'
import type { Receipt as ReceiptRow } from '#db/receipt-rows'
import { resolveAddress } from './address.ts'
import type { Context } from './context.ts'
import { event, followChanges, toCursor } from './feed.ts'
import { feedInput } from './shapes/common.ts'
import {
  history,
  historyInput,
  messageInput,
  messageStatus,
  sendInput,
  sent,
  type LogEntry,
  type Receipt,
} from './shapes/messages.ts'
import { findCaller, peerProcedure, procedure, router } from './trpc.ts'
import { toLogEntry, toReceipt } from './views.ts'

export const messagesRouter = router({
  /** Queues a message for one or several peers, all or none; it is safe on disk when this answers. */
  send: peerProcedure
    .input(sendInput)
    .output(sent)
    .mutation(async ({ ctx, input }) => {
      const { database, self } = ctx
      checkSize(input.message)
      const recipients = resolveRecipients(ctx, self, input.to)
      checkReply(ctx, self, input.replyTo)
      const outcome = await database.queue.run(() =>
        database.messages.send({
          senderId: self.id,
          recipientIds: recipients.map((peer) => peer.id),
          idempotencyKey: input.idempotencyKey,
          body: input.message,
          urgency: input.urgency,
          replyTo: input.replyTo,
        }),
      )
      if (!('messageId' in outcome) || outcome.kind === 'key-reused') throw toError(outcome, recipients)
      return {
        messageId: outcome.messageId,
        repeated: outcome.kind === 'repeated',
        recipients: toReceipts(ctx, database.messages.receipts(outcome.messageId)),
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
    .query(({ ctx, input }) => {
      const { messages } = ctx.database
      const { limit, before = Number.MAX_SAFE_INTEGER } = input
      if (input.with === undefined) {
        return { entries: toEntries(ctx, messages.history({ before, limit }), limit, () => true) }
      }
      const machineId = findCaller(ctx)?.machineId ?? ctx.hub.machineId
      const peerId = resolveAddress(ctx.database, input.with, machineId).id
      const rows = messages.historyOf({ peerId, before, limit })
      const isParty = (row: ReceiptRow) => row.senderId === peerId || row.recipientId === peerId
      return { entries: toEntries(ctx, rows, limit, isParty) }
    }),

  /** Every message of the network as it is sent and as its receipts change. */
  watch: procedure
    .input(feedInput)
    .subscription(({ ctx, input, signal }) => watchMessages(ctx, input?.lastEventId, signal)),
})

async function* watchMessages(
  ctx: Context,
  lastEventId: string | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<TrackedEnvelope<{ type: 'message'; entry: LogEntry }>, void> {
  const cursor = toCursor(lastEventId, ctx) ?? ctx.database.lastSeq()
  const read = ctx.database.messages.changedSince
  for await (const rows of followChanges({ ctx, topic: MESSAGES_TOPIC, signal, cursor, read })) {
    for (const row of rows)
      yield event(row.changedSeq, { type: 'message', entry: toEntry(ctx, row) } as const)
  }
}

function resolveRecipients(ctx: Context, self: PeerRow, to: string | string[]): PeerRow[] {
  const found = new Map<string, PeerRow>()
  for (const address of [to].flat()) {
    const peer = resolveAddress(ctx.database, address, self.machineId)
    if (peer.id === self.id) {
      throw new TRPCError({
        code: 'BAD_REQUEST',
        message: `"${address}" is this session itself: name another peer.`,
      })
    }
    found.set(peer.id, peer)
  }
  return [...found.values()]
}

function checkSize(message: string) {
  const bytes = Buffer.byteLength(message)
  if (bytes <= MAX_MESSAGE_BYTES) return
  throw new TRPCError({
    code: 'PAYLOAD_TOO_LARGE',
    message: `The message has ${bytes} bytes; the limit is ${MAX_MESSAGE_BYTES}. Write it to a file and send the path, or send it in parts.`,
  })
}

function checkReply(ctx: Context, self: PeerRow, replyTo: number | undefined) {
  if (replyTo === undefined) return
  const parties = ctx.database.messages.receipts(replyTo).flatMap((row) => [row.senderId, row.recipientId])
  if (parties.includes(self.id)) return
  throw new TRPCError({
    code: 'BAD_REQUEST',
    message: `reply_to ${replyTo} is no message that you sent or received: use an id from your mail, or leave it out.`,
  })
}

function ownReceipts(ctx: Context, self: PeerRow, messageId: number): ReceiptRow[] {
  const rows = ctx.database.messages.receipts(messageId).filter((row) => row.senderId === self.id)
  if (rows.length > 0) return rows
  throw new TRPCError({
    code: 'NOT_FOUND',
    message: `You sent no message ${messageId}, or it was settled over 30 days ago. Use the message_id that send returned.`,
  })
}

function toError(outcome: Refusal, recipients: PeerRow[]): TRPCError {
  if (outcome.kind === 'key-reused') {
    return new TRPCError({
      code: 'CONFLICT',
      message: `This idempotency key was used for message ${outcome.messageId}, which said something else: take a new key.`,
    })
  }
  const peer = recipients.find((recipient) => recipient.id === outcome.recipientId)!
  const address = `${peer.name}@${peer.host}`
  return new TRPCError({
    code: 'TOO_MANY_REQUESTS',
    message:
      outcome.kind === 'mailbox-full'
        ? `The mailbox of ${address} is full (${MAX_WAITING} messages wait). Nothing was sent: try again when it has read some.`
        : `You sent ${address} ${MAX_SENDS_PER_MINUTE} messages within a minute. Nothing was sent: wait a minute, and say more in one message.`,
  })
}

function toReceipts(ctx: Context, rows: ReceiptRow[]): Receipt[] {
  return rows.map((row) => toReceipt(row, ctx.database.peers.get(row.recipientId), ctx.hub))
}

/** A page ends with a whole message: the next one starts before it, and would leave its other recipients out. */
function toEntries(
  ctx: Context,
  rows: ReceiptRow[],
  limit: number,
  belongs: (row: ReceiptRow) => boolean,
): LogEntry[] {
  const last = rows.length < limit ? undefined : rows.at(-1)
  const told = new Set(rows.filter((row) => row.messageId === last?.messageId).map((row) => row.recipientId))
  const rest = last ? ctx.database.messages.receipts(last.messageId) : []
  const missing = rest.filter((row) => belongs(row) && !told.has(row.recipientId))
  return [...rows, ...missing].map((row) => toEntry(ctx, row))
}

function toEntry(ctx: Context, row: ReceiptRow): LogEntry {
  return toLogEntry(row, ctx.database.peers.get(row.recipientId), ctx.hub)
}
