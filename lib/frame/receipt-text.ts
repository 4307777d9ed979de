import type { Reach, Receipt } from '#router/shapes/messages'
import { toClock } from './time.ts'

/** Where a message stands, in words that are true at `now`; mail that is only for information holds no turn's end. */
export function describeReceipt(receipt: Receipt & { urgency?: 'normal' | 'fyi' }, now: number): string {
  const again = receipt.attempts > 1 ? ` (offered ${receipt.attempts} times)` : ''
  switch (receipt.state) {
    case 'queued':
      return `queued${again}: ${receipt.reach ? describeReach(receipt.reach, { now, holds: receipt.urgency !== 'fyi' }) : 'waits for its recipient'}`
    case 'offered':
      return `on its way: handed to the recipient's hook, not confirmed yet${again}`
    case 'delivered':
      return `delivered at ${clock(receipt.deliveredAt, now)}${again}`
    case 'read':
      return `read at ${clock(receipt.readAt, now)}`
    case 'expired':
      return `expired at ${clock(receipt.endedAt, now)}: the recipient never took it`
    case 'retracted':
      return `retracted at ${clock(receipt.endedAt, now)}`
  }
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
