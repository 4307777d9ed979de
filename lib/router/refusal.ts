import { TRPCError } from '@trpc/server'
import { MAX_RECIPIENTS, MAX_SENDS_PER_MINUTE, PLACES } from '#db/limits'
import type { Refusal } from '#db/messages'
import type { SeatRow } from '#db/peer-rows'
import type { Audience } from './shapes/messages.ts'

/** The error for a draft that was not sent to anybody: which limit, at whom, and what to do. */
export function toRefusal(refusal: Refusal, recipients: SeatRow[], scope: Audience | undefined): TRPCError {
  switch (refusal.kind) {
    case 'key-reused':
      return new TRPCError({
        code: 'CONFLICT',
        message: `This idempotency key was used for message ${refusal.messageId}, which said something else: take a new key.`,
      })
    case 'nobody':
      return new TRPCError({
        code: 'NOT_FOUND',
        message: `No other session runs ${scope === 'machine' ? 'on this machine' : `in this scope (${scope})`}. Nothing was sent: ${scope === 'machine' ? '' : 'take a wider scope, or '}name a peer; mail to a closed session waits for it.`,
      })
    case 'too-many':
      return tooMany(
        `That is ${refusal.count} recipients; the limit is ${MAX_RECIPIENTS}. Nothing was sent: ${scope ? 'take a narrower scope, or ' : ''}name fewer.`,
      )
    case 'mailbox-full':
      return tooMany(
        `The mailbox of ${nameOf(refusal)} is full: ${PLACES[refusal.taken]} messages ${SENDERS[refusal.taken]} wait there. Nothing was sent${others()}: try again when it has read some.`,
      )
    case 'disk-low':
      return tooMany(
        'The disk of the hub is nearly full, so it takes no more mail. Nothing was sent: free some space there, and send it again. Mail that waits is still delivered.',
      )
    case 'too-much':
      return tooMany(
        `Your machine has sent ${refusal.limit / 1_048_576} MiB of mail within a day, which is its limit. Nothing was sent: try again in ${Math.ceil(refusal.waitMs / 3_600_000)} h, or put large texts into files and send their paths.`,
      )
    case 'too-fast':
      return tooMany(
        `You sent ${nameOf(refusal)} ${MAX_SENDS_PER_MINUTE} messages within a minute. Nothing was sent${others()}: wait a minute, and say more in one message.`,
      )
    case 'repetition':
      return tooMany(
        `You sent ${nameOf(refusal)} the same text less than a minute ago, as message ${refusal.messageId}. Nothing was sent${others()}: it need not be said twice. Say what is new, or wait a minute.`,
      )
  }

  function nameOf({ recipientId }: { recipientId: string }): string {
    const peer = recipients.find((recipient) => recipient.id === recipientId)!
    return `${peer.name}@${peer.host}`
  }

  function others(): string {
    return recipients.length > 1 ? ', to the others neither' : ''
  }
}

/** Whose messages have filled their part of a mailbox. */
const SENDERS = {
  sender: 'of yours',
  machine: 'from your machine',
  others: 'from other machines',
  own: 'from its own machine',
}

const tooMany = (message: string) => new TRPCError({ code: 'TOO_MANY_REQUESTS', message })
