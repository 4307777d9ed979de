/**
 * Turns what transcripts prove into receipts: mail is read, or it is taken back because its reader did not get to it.
 * Where a transcript proves nothing, as one that is not there, mail stays delivered.
 */
import type { Transcripts } from '#machine/cards'
import type { Requeue, Unread } from '#router/shapes/mailbox'
import { openConversation, type Conversation } from './conversation.ts'

export type ReceiptsOptions = {
  /** The session's transcripts as of now; none while they are not known. */
  transcripts: () => Transcripts
  toolPrefix: string
  /** Tells the hub which messages were read, or did not get to their reader. Rejects when it could not. */
  confirm(ids: number[]): Promise<unknown>
  requeue(ids: number[], why: Requeue): Promise<unknown>
  /** Milliseconds since the epoch, by the clock that the client dates its transcript with. */
  now: () => number
}

/** What is known of the mail that the transcripts may show by now. */
export type Receipts = {
  /** Takes the hub's word for what is unread; it replaces what was said before. */
  expect(mail: Unread[]): void
  /** Reads on in the transcripts and tells the hub what that proves. One call at a time; rejects as its parts do. */
  look(): Promise<void>
  /**
   * The same for a session that has ended, and takes back what it was given and did not read. `since`: when its client
   * started, in ms since the epoch.
   */
  end(since: number): Promise<void>
  /** Whether a message may still be seen. */
  isOpen(): boolean
  /** The transcript that was read last. */
  path(): string | undefined
}

/** An entry that is older than its message's offer by more than this shows another message of that number. */
const TOLERANCE_MS = 5_000
/** The offer's time as the hub sends it anew differs by the time on the way; by more, it is another offer. */
const SAME_OFFER_MS = 1_000
/** After `/clear` the client still writes the end of the transcript before, some 100 ms late. */
const LAST_LINES_MS = 2_000
/** A client writes some entries before its MCP server starts. */
const START_MS = 60_000
const MAX_CONVERSATIONS = 4

type OpenMail = Unread & { offeredAt: number }

/** Makes the bookkeeping of one session's receipts; it reads when asked to, and holds no timer and no open file. */
export function createReceipts(options: ReceiptsOptions): Receipts {
  const { now } = options
  let open = new Map<number, OpenMail>()
  let conversations: Conversation[] = []
  let past: Transcripts['past'] = []
  /** When mail was taken back: what the transcripts said of it by then is of an earlier offer. */
  const takenBack = new Map<number, number>()

  async function readOn() {
    const { current, past: earlier } = options.transcripts()
    past = earlier
    for (const path of [...earlier.map((one) => one.path), ...(current === undefined ? [] : [current])]) {
      const known = conversations.find((one) => one.path === path)
      const conversation = known ?? openConversation(path, options.toolPrefix)
      conversations = [conversation, ...conversations.filter((one) => one !== known)].slice(
        0,
        MAX_CONVERSATIONS,
      )
    }
    for (const conversation of conversations) await conversation.read()
  }

  const isOfOffer = (at: number | undefined, { id, offeredAt }: OpenMail) =>
    at !== undefined && at >= offeredAt - TOLERANCE_MS && at > (takenBack.get(id) ?? -Infinity)
  const isRead = (mail: OpenMail) => conversations.some((one) => isOfOffer(one.readAt(mail.id), mail))
  const isShown = (mail: OpenMail, where = conversations) =>
    where.some((one) => isOfOffer(one.shownAt(mail.id), mail))
  const isOver = ({ path }: Conversation) =>
    path !== options.transcripts().current &&
    past.some((one) => one.path === path && now() - one.until >= LAST_LINES_MS)

  /** Why a delivered message did not get to its reader; `undefined` while it did or may. */
  function toDrop(mail: OpenMail): Requeue | undefined {
    if (mail.state !== 'delivered') return undefined
    const over = conversations.filter(isOver)
    if (isShown(mail)) {
      const rest = conversations.filter(
        (one) => !over.includes(one) && !isOfOffer(one.droppedAt(mail.id), mail),
      )
      return isShown(mail, rest) ? undefined : 'dropped'
    }
    for (const one of conversations) {
      const moment = one.passedAfter(mail.offeredAt)
      if (moment) return moment.unseen ? 'unseen' : 'dropped'
    }
    const wasGivenTo = (one: Conversation) =>
      (one.span()?.first ?? Infinity) <= mail.offeredAt &&
      past.some(({ path, until }) => path === one.path && mail.offeredAt < until)
    return over.some(wasGivenTo) ? 'dropped' : undefined
  }

  /** What the session was given since it started: an entry as young proves that its client writes transcripts. */
  function toUnreadAtEnd(mail: OpenMail, since: number): Requeue | undefined {
    if (mail.state !== 'delivered') return undefined
    const isOfSession = mail.offeredAt >= since - START_MS
    const isWritten = conversations.some((one) => (one.span()?.last ?? 0) >= since - START_MS)
    return isShown(mail) || (isOfSession && isWritten) ? 'ended' : undefined
  }

  async function settle(toWhy: (mail: OpenMail) => Requeue | undefined) {
    await readOn()
    const read = [...open.values()].filter(isRead)
    if (read.length > 0) {
      await options.confirm(read.map((mail) => mail.id))
      forget(read)
    }
    const lost = Map.groupBy(open.values(), toWhy)
    for (const [why, mail] of lost) {
      if (why === undefined) continue
      await options.requeue(
        mail.map((one) => one.id),
        why,
      )
      for (const { id } of mail) takenBack.set(id, now())
      forget(mail)
    }
  }

  function forget(mail: OpenMail[]) {
    for (const one of mail) if (open.get(one.id) === one) open.delete(one.id)
  }

  return {
    expect(mail) {
      const before = open
      open = new Map(
        mail.map((one) => {
          const offeredAt = now() - one.offeredAgo
          const known = before.get(one.id)?.offeredAt
          const isSame = known !== undefined && Math.abs(known - offeredAt) < SAME_OFFER_MS
          return [one.id, { ...one, offeredAt: isSame ? Math.min(known, offeredAt) : offeredAt }]
        }),
      )
    },
    look: () => settle(toDrop),
    end: (since) => settle((mail) => toDrop(mail) ?? toUnreadAtEnd(mail, since)),
    isOpen: () => open.size > 0,
    path: () => conversations[0]?.path,
  }
}
