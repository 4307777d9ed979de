import type { Unread } from '#db/notifications'
import type { PeerRow } from '#db/peer-rows'
import { toClock } from '#frame/time'
import type { Reach } from '#router/shapes/messages'

/** One peer's unread mail, and why nobody takes it. */
export type Pile = { recipient: PeerRow; how: Reach['how']; unread: Unread[] }

/** What the person is told. It names who and how many, never what was said: others may see a screen or a channel. */
export type Notification = {
  title: string
  text: string
  count: number
  /** The oldest of each peer's, at most 100 of all; times are ms since the epoch. */
  messages: { id: number; from: string; to: string; queuedAt: number; reach: Reach['how'] }[]
}

const LINES = 4
const SENDERS = 3
const LISTED = 100

/** One notification for all that is unread, in words of this machine's time. */
export function toNotification(piles: Pile[], now: number): Notification {
  const count = piles.reduce((sum, { unread }) => sum + unread.length, 0)
  const lines = piles.slice(0, LINES).map((pile) => describePile(pile, now))
  const rest = piles.length - lines.length
  if (rest > 0) lines.push(`and for ${rest} more`)
  const messages = piles.flatMap(({ recipient, how, unread }) =>
    unread.map(({ messageId, from, queuedAt }) => {
      return { id: messageId, from, to: toAddress(recipient), queuedAt, reach: how }
    }),
  )
  const title = `claude-peers: ${count} unread ${count === 1 ? 'message' : 'messages'}`
  return { title, text: lines.join('\n'), count, messages: messages.slice(0, LISTED) }
}

function describePile({ recipient, how, unread }: Pile, now: number): string {
  const senders = [...new Set(unread.map(({ from }) => from))]
  const more = senders.length > SENDERS ? ` and ${senders.length - SENDERS} more` : ''
  const from = `${unread.length} from ${senders.slice(0, SENDERS).join(', ')}${more}`
  const to = toAddress(recipient)
  if (how === 'inbox') return `${to}: ${from}. Read with: claude-peers inbox`
  if (how === 'gone') return `${to}, gone since ${toClock(recipient.seenAt, now)}: ${from}`
  return `${to}, waits for a prompt: ${from}`
}

const toAddress = ({ name, host }: PeerRow) => `${name}@${host}`
