import type { HubClient } from '#client/connect'
import { removeCard, type Card } from '#machine/cards'
import { isSameProcess } from '#machine/processes'
import { startDeadline } from './deadline.ts'
import { settleCard } from './ended.ts'
import { startSettler } from './settler.ts'

const GOODBYE_MS = 500
const SETTLE_MS = 2_000

/**
 * Says goodbye for the session of a card, within half a second. Mail that is not known to be read is settled first, where
 * the client has ended; else its card stays, and a process that waits for the client's last lines. `isOpen`: whether there
 * is such mail, as far as that was known before. `unused`: the server was only looked at, and its registration is taken back.
 */
export async function leaveSeat(
  card: Card,
  {
    sessions,
    hub,
    isOpen,
    unused,
  }: { sessions: string; hub: HubClient['hub']; isOpen: boolean; unused: boolean },
): Promise<void> {
  const isLeft = await within(GOODBYE_MS, isUnread(hub)).then((found) => found ?? isOpen)
  const { claude, hubUrl: url, token } = card
  if (isLeft && card.transcript !== undefined) {
    if (isSameProcess(claude.pid, claude.start)) startSettler(card)
    else return await within(SETTLE_MS, settleCard(sessions, card, { url, token }))
  } else {
    removeCard(sessions, claude.pid)
  }
  await within(GOODBYE_MS, hub.peers.leave.mutate({ unused }))
}

const isUnread = async (hub: HubClient['hub']) => (await hub.mailbox.unread.query()).mail.length > 0

/** What the work gives, unless it fails or takes longer. */
async function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  return (await startDeadline(ms).within(work.catch(() => undefined)))?.value
}
