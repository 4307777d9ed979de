import { z } from 'zod'
import { messageId, time } from './common.ts'

/** `normal` blocks a stop and is delivered at once; `fyi` waits for the recipient's next event. */
export const urgency = z.enum(['normal', 'fyi'])
export const deliveryState = z.enum(['queued', 'offered', 'delivered', 'read', 'expired', 'retracted'])

/**
 * How a queued message will reach its recipient, a session that is
 * - `busy`: its next tool call, or the end of its turn. `headless`: the same, in a run that ends with its work.
 * - `waking`: idle, and woken for it. `idle`: its next prompt, because nothing can wake it.
 * - `unknown`: online, but what it does is not known. `fyi`: online, and the mail neither wakes it nor holds its turn.
 * - `disconnected`: its process runs and its MCP server is away. `gone`: nothing runs.
 *
 * `inbox`: the person reads it. `since`: when a session that is gone was last heard of. `until`: how long it is kept.
 * `notifyAt`: when the person is told that it is unread, if it still waits like this; null for one that is on its way,
 * for `fyi`, where notifications are off or fail, and once it was tried.
 */
export const reach = z.object({
  how: z.enum(['busy', 'headless', 'waking', 'idle', 'unknown', 'fyi', 'disconnected', 'gone', 'inbox']),
  since: time.nullable(),
  until: time,
  notifyAt: time.nullable(),
})
export type Reach = z.infer<typeof reach>

/** Where one message stands with one recipient. */
export const receipt = z.object({
  messageId,
  from: z.string(),
  to: z.string(),
  urgency,
  state: deliveryState,
  /** How many times it was offered to its recipient. */
  attempts: z.number().int(),
  queuedAt: time,
  offeredAt: time.nullable(),
  deliveredAt: time.nullable(),
  /** When it was found in its reader's transcript. */
  readAt: time.nullable(),
  /** Since when it is delivered and unconfirmed: the transcript went on for a minute, and does not show it. */
  unconfirmedAt: time.nullable(),
  /** When it expired or was retracted. */
  endedAt: time.nullable(),
  /** When the hub tried to tell the person that it is unread. */
  notifiedAt: time.nullable(),
  /** Only while it is queued. */
  reach: reach.nullable(),
  /** The first message with which this recipient answered it. */
  replyId: messageId.nullable(),
})
export type Receipt = z.infer<typeof receipt>

/** A receipt with what was said: its beginning, and its whole length in characters. */
export const logEntry = receipt.extend({
  text: z.string(),
  chars: z.number().int(),
  replyTo: messageId.nullable(),
})
export type LogEntry = z.infer<typeof logEntry>

const address = z.string().trim().min(1, 'an address is empty').max(320)

/** `idempotencyKey`: the same sender and key make the same message, however often it is sent. */
export const sendInput = z.object({
  to: z.union([address, z.array(address).min(1).max(50)]),
  message: z.string().min(1, 'the message is empty'),
  replyTo: messageId.optional(),
  urgency: urgency.default('normal'),
  idempotencyKey: z.string().min(8).max(128),
})
export const sent = z.object({ messageId, repeated: z.boolean(), recipients: z.array(receipt) })
export const messageInput = z.object({ messageId })
export const messageStatus = z.object({ messageId, recipients: z.array(receipt) })

/**
 * `with`: only what this peer sent or got. `before`: only older messages. One entry for each recipient, newest first;
 * the last message is told of whole, even beyond the limit.
 */
export const historyInput = z.object({
  with: address.optional(),
  before: messageId.optional(),
  limit: z.number().int().min(1).max(500).default(50),
})
export const history = z.object({ entries: z.array(logEntry) })
