import { mailboxTopic } from '#db/bell'
import type { Unread } from '#db/mail-rows'
import type { Context } from './context.ts'
import { event, PAGE, toFeed, toListener, toStart, type Feed, type Page } from './feed.ts'
import type { MailboxEvent } from './shapes/mailbox.ts'
import { requireSelf, requireToken } from './trpc.ts'
import { createUntold, type Untold } from './untold.ts'
import { toReceipt, toRecipient, toUnread } from './views.ts'

/** What a session was told of its mailbox: how much waits, and what is unread. */
type Told = { waiting: number | undefined; unread: string | undefined }

/** The link of a session: what waits in its mailbox and what became of what it sent. Who follows it is online. */
export function watchMailbox(
  context: Context,
  peerId: string,
  { lastEventId, signal }: { lastEventId: string | undefined; signal: AbortSignal | undefined },
): Feed<MailboxEvent> {
  const ctx = toListener(context)
  const { presence } = ctx.hub
  const untold = createUntold(ctx.database, peerId, toStart(lastEventId, ctx))
  const told: Told = {
    waiting: undefined,
    // Who comes back may know of mail that has been settled since.
    unread: lastEventId === undefined ? '' : undefined,
  }
  return toFeed(
    ctx,
    {
      topic: mailboxTopic(peerId),
      // Another session may have taken the seat, or the machine have lost its token.
      check: () => requireSelf(ctx, requireToken(ctx)),
      heard: untold.hear,
      read: () => {
        const { events, more } = readReceipts(ctx, untold)
        return { events: [...events, ...readMailbox(ctx, peerId, told, untold.cursor())], more }
      },
      opened: () => presence.opened(peerId),
      closed: () => presence.closed(peerId),
    },
    signal,
  )
}

/** A receipt for each change that was not told, as it is now; what is kept no longer has none. */
function readReceipts(ctx: Context, untold: Untold): Page<MailboxEvent> {
  const { changes, more } = untold.take(PAGE)
  if (changes.length === 0) return { events: [], more }
  const rows = ctx.database.messages.receiptsOf(changes)
  const events = changes.flatMap(({ messageId, recipientId, changedSeq }) => {
    const row = rows.find((one) => one.messageId === messageId && one.recipientId === recipientId)
    if (!row) return []
    const receipt = toReceipt(row, toRecipient(ctx, row), ctx.hub)
    return [event<MailboxEvent>(ctx, changedSeq, { type: 'receipt', receipt })]
  })
  return { events, more }
}

/** What waits and what is unread, where that is news. */
function readMailbox(ctx: Context, peerId: string, told: Told, cursor: number): Page<MailboxEvent>['events'] {
  const { mailbox } = ctx.database
  const events: Page<MailboxEvent>['events'] = []
  const waiting = mailbox.queued(peerId)
  const mail = mailbox.unread(peerId)
  const unread = toKey(mail)
  // New mail that takes the place of mail just taken leaves the number as it is, and is news all the same.
  if (waiting !== told.waiting || waiting > 0) {
    const urgent = waiting > 0 ? mailbox.urgent(peerId) : 0
    events.push(event(ctx, cursor, { type: 'waiting', waiting, urgent }))
  }
  if (unread !== told.unread) {
    events.push(event(ctx, cursor, { type: 'unread', mail: mail.map(toUnread) }))
  }
  told.waiting = waiting
  told.unread = unread
  return events
}

/** What of unread mail is news when it changes; how long ago it was offered changes all the time. */
const toKey = (mail: Unread[]): string =>
  mail.map((one) => [one.id, one.state, one.offeredAt].join()).join(';')
