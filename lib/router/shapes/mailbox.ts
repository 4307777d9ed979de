import { z } from 'zod'
import { messageId, time } from './common.ts'
import { audience, receipt, urgency } from './messages.ts'

/** One message as its recipient gets it. */
export const mail = z.object({
  id: messageId,
  /** A `note` is the hub's own word, such as that an answer did not come: nobody can answer it. */
  kind: z.enum(['message', 'note']),
  /** `name@host` of the sender; of a note `claude-peers`. */
  from: z.string(),
  directory: z.string(),
  /** The home directory of the sender's user, where its machine has named it. */
  home: z.string().optional(),
  text: z.string(),
  urgency,
  replyTo: messageId.nullable(),
  /**
   * What `replyTo` is, when the reader's mailbox sent that: its beginning, whether it awaited an answer, and whether the
   * session that held this name before was who said it.
   */
  answers: z.object({ excerpt: z.string(), awaited: z.boolean(), ofPrevious: z.boolean() }).nullable(),
  /** Until when the sender awaits an answer. */
  replyBy: time.nullable(),
  /** It went to all sessions of this scope of the sender. */
  scope: audience.nullable(),
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
/** `unshown`: messages of the offer that the caller had no room for; they wait again, as if never offered. */
export const ackInput = offerInput.extend({ unshown: z.array(messageId).max(1_000).default([]) })
/** How many messages the call settled (none when it was late or repeated), and how many are still queued. */
export const settled = z.object({ settled: z.number().int(), remaining: z.number().int() })
export type Settled = z.infer<typeof settled>

export const peekInput = z.object({ limit: z.number().int().min(1).max(100).default(20) }).optional()
export const peeked = z.object({ messages: z.array(mail), waiting: z.number().int() })

/** `before`: only older messages. */
export const takenInput = z.object({
  before: messageId.optional(),
  limit: z.number().int().min(1).max(100).default(20),
})
export const taken = z.object({ messages: z.array(mail) })

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

/** Messages of the caller's own mailbox. Ids that are not there, or not in a state for it, are passed over. */
export const idsInput = z.object({ ids: z.array(messageId).min(1).max(1_000) })
/** How many of the messages the call changed. */
export const changed = z.object({ settled: z.number().int() })

/**
 * Takes delivered mail back that its reader did not get to. `why`: the client dropped it; it dropped it certainly before
 * any model saw it (`unseen`, the message comes without the mark of a possible repeat); the session ended.
 */
export const requeueInput = idsInput.extend({ why: z.enum(['dropped', 'unseen', 'ended']) })
export type Requeue = z.infer<typeof requeueInput>['why']

/** Mail of the last week that the transcript of its reader may show by now: on offer, or delivered and not known to be read. */
export const unread = z.object({
  id: messageId,
  state: z.enum(['offered', 'delivered']),
  /** How long ago it was last offered, in ms: the caller's clock may be another one. */
  offeredAgo: z.number().int(),
})
export type Unread = z.infer<typeof unread>
export const unreadMail = z.object({ mail: z.array(unread) })

/**
 * How much mail waits, now and whenever it changes, and how much of it is worth waking a session for: it is not `fyi`, a
 * consume would give it now, and its delivery has not broken time and again. What is not known to be read, unless that
 * is nothing at the start. And each change of what this mailbox sent.
 */
export const mailboxEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('waiting'), waiting: z.number().int(), urgent: z.number().int() }),
  z.object({ type: z.literal('unread'), mail: z.array(unread) }),
  z.object({ type: z.literal('receipt'), receipt }),
])
export type MailboxEvent = z.infer<typeof mailboxEvent>
