import type { Reach, Receipt } from '#router/shapes/messages'
import { toClock } from './time.ts'

/** Where a message stands, in words that are true at `now`; and the first answer to it, if there is one. */
export function describeReceipt(receipt: Receipt, now: number): string {
  const answered = receipt.replyId === null ? '' : `; answered with message ${receipt.replyId}`
  return describeState(receipt, now) + answered
}

function describeState(receipt: Receipt, now: number): string {
  const again = receipt.attempts > 1 ? ` (offered ${receipt.attempts} times)` : ''
  switch (receipt.state) {
    case 'queued':
      // Mail that is only for information holds no turn's end.
      return `queued${again}: ${receipt.reach ? describeReach(receipt.reach, { now, holds: receipt.urgency !== 'fyi' }) : 'waits for its recipient'}`
    case 'offered':
      return `on its way: handed to the recipient's hook, not confirmed yet${again}`
    case 'delivered':
      return receipt.unconfirmedAt === null
        ? `delivered at ${clock(receipt.deliveredAt, now)}${again}`
        : `delivered, unconfirmed: handed over at ${clock(receipt.deliveredAt, now)}${again}, but its reader's transcript went on without it`
    case 'read':
      return `read at ${clock(receipt.readAt, now)}`
    case 'expired':
      return `expired at ${clock(receipt.endedAt, now)}: the recipient never took it`
    case 'retracted':
      return `retracted at ${clock(receipt.endedAt, now)}`
  }
}

/** The steps that a message has made, each with its time: `queued 14:02 → offered 14:03 → delivered 14:03`. */
export function describeSteps(receipt: Receipt, now: number): string {
  const { queuedAt, offeredAt, deliveredAt, unconfirmedAt, readAt, endedAt, attempts } = receipt
  const offered = attempts > 1 ? `offered ${attempts} times, last` : 'offered'
  const steps: [string, number | null][] = [
    ['queued', queuedAt],
    [offered, offeredAt],
    ['delivered', deliveredAt],
    ['unconfirmed since', unconfirmedAt],
    ['read', readAt],
    [receipt.state, endedAt],
  ]
  return steps.flatMap(([what, at]) => (at === null ? [] : [`${what} ${toClock(at, now)}`])).join(' → ')
}

/** How a queued message will reach its recipient. */
function describeReach(reach: Reach, { now, holds }: { now: number; holds: boolean }): string {
  const until = toClock(reach.until, now)
  switch (reach.how) {
    case 'next-event':
      return holds
        ? 'arrives at its next tool call, prompt or turn end'
        : 'arrives at its next tool call or prompt'
    case 'next-turn':
      return `its claude-peers server is not connected; arrives at its next prompt${holds ? ' or turn end' : ''}`
    case 'gone':
      return `gone since ${clock(reach.since, now)}; kept until ${until} for it or its successor`
    case 'human':
      return `waits for the person, who reads it with "claude-peers inbox"; kept until ${until}`
  }
}

const clock = (time: number | null, now: number) => (time === null ? 'an unknown time' : toClock(time, now))
