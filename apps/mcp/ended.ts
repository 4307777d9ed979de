/**
 * Settles what sessions of this machine had not read when they ended, with the keys in their cards: their transcripts are
 * read to the end, what they prove is confirmed, the rest waits again for the seat. Then it says goodbye for them: the hub
 * of another machine cannot see that their processes have ended, would hold their seats for its grace, and the next
 * session in the same place would get another name, without the mail.
 */
import { basename } from 'node:path'
import { connect } from '#client/connect'
import { judge } from '#client/verdict'
import { listEndedCards, readCard, removeCard, toTranscripts, type Card } from '#machine/cards'
import { createReceipts } from './receipts.ts'

/** Where the hub of the sessions is, as far as they had the same. */
export type HubPlace = { url: string; token: string; isRemote: boolean }

/** A new session waits this long for it at most. */
const SETTLE_MS = 1_000

/**
 * Settles the ended sessions that had this hub and for which `isFirst` holds, and removes their cards; what fails is left for
 * the next server. Returns what settles the others. Thousands may have ended: only some are settled at the same time.
 */
export async function settleEnded(
  sessions: string,
  hub: HubPlace,
  isFirst: (card: Card) => boolean,
): Promise<() => Promise<void>> {
  async function settleEach(cards: Card[] = []) {
    for (let at = 0; at < cards.length; at += AT_ONCE) {
      const some = cards.slice(at, at + AT_ONCE)
      await Promise.allSettled(some.map((card) => settleCard(sessions, card, hub)))
    }
  }
  const own = listEndedCards(sessions).filter((card) => isOfHub(card, hub))
  const { first, rest } = Object.groupBy(own, (card) => (isFirst(card) ? 'first' : 'rest'))
  await settleEach(first)
  return () => settleEach(rest)
}

const AT_ONCE = 8

/** Whether a new session may get the seat of an ended one, whose mail is then settled before. The repository may have been moved. */
export const mayBeSucceeded = (
  card: Card,
  { root, sessionId }: { root: string; sessionId?: string | undefined },
): boolean =>
  (card.root !== undefined && basename(card.root) === basename(root)) ||
  (sessionId !== undefined && card.sessionIds.includes(sessionId))

/** Settles one ended session. Rejects when the hub could not be asked, or a transcript not be read. */
export async function settleCard(
  sessions: string,
  card: Card,
  hub: Omit<HubPlace, 'isRemote'>,
): Promise<void> {
  try {
    await settle(card, hub)
  } catch (cause) {
    // A seat that has a new holder has another key; what it was given is the new holder's to settle.
    if (judge(cause) !== 'unknown') throw cause
  }
  const { pid, start } = card.claude
  const found = readCard(sessions, pid)
  // Another server may have brought it back for a session that goes on.
  if (found && found.claude.start === start && found.mcp.pid === card.mcp.pid) removeCard(sessions, pid)
}

async function settle(card: Card, { url, token }: Omit<HubPlace, 'isRemote'>) {
  const client = connect({ endpoint: { url, token, key: card.key }, timeoutMs: SETTLE_MS })
  const { mailbox, peers } = client.hub
  try {
    const { mail } = await mailbox.unread.query()
    const receipts = createReceipts({
      transcripts: () => toTranscripts(card),
      toolPrefix: card.toolPrefix,
      confirm: (ids) => mailbox.confirm.mutate({ ids }),
      requeue: (ids, why) => mailbox.requeue.mutate({ ids, why }),
      now: Date.now,
    })
    receipts.expect(mail)
    if (mail.length > 0) await receipts.end(card.since ?? 0)
    await peers.leave.mutate()
  } finally {
    await client.close()
  }
}

/** A hub of this machine may have another port by now. */
const isOfHub = ({ hub, hubUrl }: Card, { url, isRemote }: HubPlace) =>
  isRemote ? hubUrl === url : hub !== undefined
