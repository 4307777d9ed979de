import { z } from 'zod'
import { messageId, time } from './common.ts'

/** `normal` blocks a stop and is delivered at once; `fyi` waits for the recipient's next event. */
export const urgency = z.enum(['normal', 'fyi'])
export const deliveryState = z.enum(['queued', 'offered', 'delivered', 'read', 'expired', 'retracted'])

/**
 * How a queued message will reach its recipient, a session that is
 * - `busy`: its next tool call, or the end of its turn. `headless`: the same, in a run that ends with its work.
 * - `asking`: the same, once its user has answered the question that it stands at.
 * - `waking`: idle, and woken for it. `idle`: its next prompt, because nothing can wake it. `stream`: the same, of a
 *   session whose prompts come from a program.
 * - `hookless`: only when it asks, as no hook of ours runs in it. `unproven`: none has run yet.
 * - `unknown`: online, but what it does is not known. `fyi`: online, and the mail neither wakes it nor holds its turn.
 * - `disconnected`: its process runs and its MCP server is away. `gone`: nothing runs.
 *
 * `inbox`: the person reads it. `since`: when a session that is gone was last heard of. `until`: how long it is kept.
 * `notifyAt`: when the person is told that it is unread, if it still waits like this; null for one that is on its way,
 * for `fyi`, where notifications are off or fail, and once it was tried.
 */
export const reach = z.object({
  how: z.enum([
    ...(['busy', 'headless', 'asking', 'waking', 'idle', 'stream', 'hookless', 'unproven'] as const),
    ...(['unknown', 'fyi', 'disconnected', 'gone', 'inbox'] as const),
  ]),
  since: time.nullable(),
  until: time,
  notifyAt: time.nullable(),
})
export type Reach = z.infer<typeof reach>

/** The newest answer to a message: its id and its beginning, which is empty once the answer was forgotten. */
export const reply = z.object({ id: messageId, excerpt: z.string() })

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
  /** When it was last taken back after its delivery, because its reader did not get to it. */
  requeuedAt: time.nullable(),
  /** When it expired or was retracted. */
  endedAt: time.nullable(),
  /** When the hub tried to tell the person that it is unread. */
  notifiedAt: time.nullable(),
  /** Only while it is queued. */
  reach: reach.nullable(),
  /** Until when its sender awaits an answer; null when it asked for none. */
  replyBy: time.nullable(),
  reply: reply.nullable(),
})
export type Receipt = z.infer<typeof receipt>

/**
 * A receipt with what was said: its beginning, and its whole length in characters. The beginning is empty where the caller
 * may not read it: bodies are for the machines of the sender and the recipient, and for the person at the hub. A `note`
 * is the hub's own word to its recipient: `from` is no peer then, but `claude-peers`.
 */
export const logEntry = receipt.extend({
  text: z.string(),
  chars: z.number().int(),
  replyTo: messageId.nullable(),
  kind: z.enum(['message', 'note']),
})
export type LogEntry = z.infer<typeof logEntry>

/** The largest body, in UTF-8 bytes. */
export const MAX_MESSAGE_BYTES = 64 * 1_024

/** Why a message is too large to be sent; `undefined` for one that is not. Needs no hub. */
export function explainSize(message: string): string | undefined {
  const bytes = Buffer.byteLength(message)
  if (bytes <= MAX_MESSAGE_BYTES) return undefined
  return `The message has ${bytes} bytes; the limit is ${MAX_MESSAGE_BYTES}. Write it to a file and send the path, or send it in parts.`
}

const address = z.string().trim().min(1, 'an address is empty').max(320)

/** A fault is said once: a thousand addresses may have it. */
const addresses = z
  .array(z.string().trim())
  .min(1, 'there is no address')
  .max(1_000)
  .refine((all) => all.every((one) => address.safeParse(one).success), 'an address is empty or too long')

/** The address of every session that runs now in a `scope` of the sender, but for itself. */
export const EVERYBODY = 'all'
/** Where `all` is: the sender's computer, the same directory, the same repository. */
export const audience = z.enum(['machine', 'directory', 'repo'])
export type Audience = z.infer<typeof audience>

/** The longest time to wait for an answer, in minutes: 48 hours. */
const MAX_REPLY_MINUTES = 2_880
const MINUTES = `use whole minutes, 1 to ${MAX_REPLY_MINUTES} (48 hours)`

/**
 * `to`: an address, several, or `all`, whose `scope` is `machine` unless it is given. `expectsReplyWithin`: minutes; each
 * recipient is told that an answer is awaited, and the sender's mailbox gets that answer or a note that none came in
 * time. `idempotencyKey`: the same sender and key make the same message, however often it is sent.
 */
export const sendInput = z.object({
  to: z.union([address, addresses]),
  scope: audience.optional(),
  message: z.string().regex(/\S/, 'the message is empty'),
  replyTo: messageId.optional(),
  urgency: urgency.default('normal'),
  expectsReplyWithin: z.number().int(MINUTES).min(1, MINUTES).max(MAX_REPLY_MINUTES, MINUTES).optional(),
  idempotencyKey: z.string().min(8).max(128),
})
/**
 * `scope`: where `all` was. `worktrees`: the addresses of sessions that run in other worktrees of the repository whose
 * name a recipient has that is away.
 */
export const sent = z.object({
  messageId,
  repeated: z.boolean(),
  scope: audience.nullable(),
  recipients: z.array(receipt),
  worktrees: z.array(z.string()),
})
export type SendInput = z.infer<typeof sendInput>
export type Sent = z.infer<typeof sent>
export const messageInput = z.object({ messageId })
export const messageStatus = z.object({ messageId, recipients: z.array(receipt) })

/**
 * `with`: only what this peer sent or got. `before`: only older messages. One entry for each recipient, newest first;
 * the last message is told of whole, even beyond the limit: 50 more at most. `nextCursor` is the `before` of the next
 * page, null after the last.
 */
export const historyInput = z.object({
  with: address.optional(),
  before: messageId.optional(),
  limit: z.number().int().min(1).max(500).default(50),
})
export const history = z.object({ entries: z.array(logEntry), nextCursor: messageId.nullable() })

/** A message as a whole; `text` is empty where the caller may not read it, as in a log entry. */
export const wholeMessage = logEntry
  .pick({ messageId: true, from: true, kind: true, urgency: true, replyTo: true, text: true, chars: true })
  .extend({ sentAt: time, recipients: z.array(receipt) })
export type WholeMessage = z.infer<typeof wholeMessage>

/** `sent`: the newest messages that the caller sent; `unanswered`: what of its conversations has no answer. */
export const threadsInput = z.object({
  show: z.enum(['sent', 'unanswered']),
  limit: z.number().int().min(1).max(100).default(20),
})
/**
 * Newest first, at most `limit` of each list: what is older is in the history. Among the unanswered, `sent` holds what the caller sent, but for mail for information and answers that
 * ask nothing; `owed` what it got from others who await its answer. `heldSince`: when the caller's session took its
 * seat; what is older was sent by a previous session.
 */
export const threads = z.object({ sent: z.array(logEntry), owed: z.array(logEntry), heldSince: time })
export type Threads = z.infer<typeof threads>

/** The messages of the network as they are sent and change; without `lastEventId`, from now on. */
export const messageEvent = z.object({ type: z.literal('message'), entry: logEntry })
