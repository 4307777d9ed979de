import type { Receipt } from '#router/shapes/messages'
import { toClock } from './time.ts'

/** Where a message stands, in words that are true at `now`, with times of this machine. */
export function describeReceipt(receipt: Receipt, now: number): string {
  const { requeuedAt } = receipt
  const again = receipt.attempts > 1 ? ` (offered ${receipt.attempts} times)` : ''
  switch (receipt.state) {
    case 'queued':
      return `queued${requeuedAt === null ? again : ` ${describeReturn(requeuedAt, now)}`}: ${describeReach(receipt, now)}${describeNotice(receipt, now)}`
    case 'offered':
      return isToPerson(receipt)
        ? `on its way: being shown to the person, not confirmed yet${again}`
        : `on its way: handed to the recipient's hook, not confirmed yet${again}`
    case 'delivered':
      return `delivered at ${clock(receipt.deliveredAt, now)}${again}`
    case 'read':
      return `read at ${clock(receipt.readAt, now)}`
    case 'expired':
      return requeuedAt === null
        ? `expired at ${clock(receipt.endedAt, now)}: no delivery was confirmed${again}`
        : `expired at ${clock(receipt.endedAt, now)}: it was handed over, and its reader did not get to it`
    case 'retracted':
      return `retracted at ${clock(receipt.endedAt, now)}`
  }
}

/** Why a message waits again that was delivered. */
const describeReturn = (requeuedAt: number, now: number) =>
  `again since ${toClock(requeuedAt, now)} (it was handed over, and its reader did not get to it)`

/** The steps that a message has made, each with its time: `queued 14:02 → offered 14:03 → delivered 14:03`. */
export function describeSteps(receipt: Receipt, now: number): string {
  const { queuedAt, offeredAt, deliveredAt, requeuedAt, readAt, endedAt, attempts } = receipt
  const offered = attempts > 1 ? `offered ${attempts} times, last` : 'offered'
  const steps: [string, number | null][] = [
    ['queued', queuedAt],
    [offered, offeredAt],
    ['queued again', requeuedAt],
    ['delivered', deliveredAt],
    ['read', readAt],
    [receipt.state, endedAt],
  ]
  return steps
    .flatMap(([what, at]) => (at === null ? [] : [{ what, at }]))
    .toSorted((one, other) => one.at - other.at)
    .map(({ what, at }) => `${what} ${toClock(at, now)}`)
    .join(' → ')
}

/** No session ever gets the name of a person's seat. */
const isToPerson = ({ to }: Receipt) => to.startsWith('user@')

/** How a queued message will reach its recipient. */
function describeReach({ reach, urgency }: Receipt, now: number): string {
  if (!reach) return 'waits for its recipient'
  const holds = urgency === 'normal'
  const kept = `kept until ${toClock(reach.until, now)}`
  switch (reach.how) {
    case 'busy':
      return 'arrives at its next tool call or turn end'
    case 'headless':
      return 'arrives at its next tool call, or before it ends'
    case 'asking':
      return 'it waits for its user, who is asked a question there; arrives after the answer, at its next tool call or turn end'
    case 'waking':
      return 'waking it now'
    case 'idle':
      return `arrives at its next prompt, as mail cannot wake it; ${kept}`
    case 'stream':
      return `arrives with the next prompt that a program gives it, as mail cannot wake it; ${kept}`
    case 'hookless':
      return `no hook of claude-peers runs in it; arrives only when it calls check_messages; ${kept}`
    case 'unproven':
      return `no hook of claude-peers has run in it yet; arrives at its first prompt or, if hooks are disabled there, when it calls check_messages; ${kept}`
    case 'unknown':
      return 'arrives at its next tool call, prompt or turn end'
    case 'fyi':
      return `arrives at its next tool call or prompt; ${kept}`
    case 'disconnected':
      return `its claude-peers server is not connected; arrives at its next prompt${holds ? ' or turn end' : ''}`
    case 'gone':
      return `arrives when it next runs: gone since ${clock(reach.since, now)}; ${kept} for it or its successor`
    case 'inbox':
      return `waits for the person, who reads it with "claude-peers inbox"; ${kept}`
  }
}

/** Whether the person is notified, or a hub has tried to: whether anybody looked at a screen, it cannot know. */
function describeNotice({ reach, notifiedAt }: Receipt, now: number): string {
  if (notifiedAt !== null) return `; notification attempted at ${toClock(notifiedAt, now)}`
  return reach?.notifyAt
    ? `; the person is notified if it still waits at ${toClock(reach.notifyAt, now)}`
    : ''
}

const clock = (time: number | null, now: number) => (time === null ? 'an unknown time' : toClock(time, now))
