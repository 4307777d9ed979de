import { z } from 'zod'
import { messageId, time } from './common.ts'
import { receipt, urgency } from './messages.ts'

/** One message as its recipient gets it. */
export const mail = z.object({
  id: messageId,
  /** `name@host` of the sender. */
  from: z.string(),
  directory: z.string(),
  text: z.string(),
  urgency,
  replyTo: messageId.nullable(),
  sentAt: time,
  /** It was offered before and nobody said that it arrived: it may have been seen. */
  again: z.boolean(),
  /** It was sent to the session that held this name before. */
  forPrevious: z.boolean(),
})
export type Mail = z.infer<typeof mail>

/**
 * `budget`: the characters of bodies that the caller can show; `overhead`: what each message costs besides.
 * `skipIfOnlyFyi`: take nothing while only `fyi` mail waits.
 */
export const consumeInput = z.object({
  budget: z.number().int().min(1).max(1_000_000),
  overhead: z.number().int().min(0).max(10_000).default(0),
  skipIfOnlyFyi: z.boolean().default(false),
})

/** The messages belong to this caller until the lease ends: acknowledge the offer once they have been shown. */
export const offer = z.object({
  offerId: z.string().nullable(),
  messages: z.array(mail),
  remaining: z.number().int(),
})
export type Offer = z.infer<typeof offer>

export const offerInput = z.object({ offerId: z.string().min(1).max(64) })
/** How many messages the call settled (none when it was late or repeated), and how many are still queued. */
export const settled = z.object({ settled: z.number().int(), remaining: z.number().int() })

export const peekInput = z.object({ limit: z.number().int().min(1).max(100).default(20) }).optional()
export const peeked = z.object({ messages: z.array(mail), waiting: z.number().int() })

/** Reads a part of one received message; `offset` and `limit` count characters. */
export const readInput = z.object({
  messageId,
  offset: z.number().int().min(0).default(0),
  limit: z.number().int().min(1).max(65_536).default(16_000),
})
export const page = z.object({
  mail,
  offset: z.number().int(),
  total: z.number().int(),
  next: z.number().int().nullable(),
})

/**
 * How much mail waits, now and whenever it changes, and how much of it is worth waking a session for: it is not `fyi`, a
 * consume would give it now, and its delivery has not broken time and again. And each change of what this mailbox sent.
 */
export const mailboxEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('waiting'), waiting: z.number().int(), urgent: z.number().int() }),
  z.object({ type: z.literal('receipt'), receipt }),
])
export type MailboxEvent = z.infer<typeof mailboxEvent>
