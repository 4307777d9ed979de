import { mailboxTopic } from '#db/bell'
import type { Unread } from '#db/mail-rows'
import type { Context } from './context.ts'
import { event, PAGE, toFeed, toListener, toStart, type Feed, type Page } from './feed.ts'
import type { MailboxEvent } from './shapes/mailbox.ts'
import { requireSelf, requireToken } from './trpc.ts'
import { toReceipt, toRecipient, toUnread } from './views.ts'

/** What a session was told of its mailbox: receipts up to the cursor, how much waits, and what is unread. */
type Told = { cursor: number; waiting: number | undefined; unread: string | undefined }

/** The link of a session: what waits in its mailbox and what became of what it sent. Who follows it is online. */
export function watchMailbox(
  context: Context,
  peerId: string,
  { lastEventId, signal }: { lastEventId: string | undefined; signal: AbortSignal | undefined },
): Feed<MailboxEvent> {
  const ctx = toListener(context)
  const { presence } = ctx.hub
  const told: Told = {
    cursor: toStart(lastEventId, ctx),
    waiting: undefined,
    // Who comes back may know of mail that has been settled since.
    unread: lastEventId === undefined ? '' : undefined,
  }
  return toFeed(
    ctx,
    {
      topic: mailboxTopic(peerId),
      // Another session may have taken the seat, or the machine have lost its token.
      check: () => requireSelf({ ...ctx, caller: requireToken(ctx) }),
      read: () => readPage(ctx, peerId, told),
      opened: () => presence.opened(peerId),
      closed: () => presence.closed(peerId),
    },
    signal,
  )
}

function readPage(ctx: Context, peerId: string, told: Told): Page<MailboxEvent> {
  const { database, hub } = ctx
  const rows = database.messages.sentSince(peerId, told.cursor, PAGE)
  const events = rows.map((row) => {
    const receipt = toReceipt(row, toRecipient(ctx, row), hub)
    return event<MailboxEvent>(ctx, row.changedSeq, { type: 'receipt', receipt })
  })
  told.cursor = rows.at(-1)?.changedSeq ?? told.cursor
  const waiting = database.mailbox.queued(peerId)
  const mail = database.mailbox.unread(peerId)
  const unread = toKey(mail)
  // New mail that takes the place of mail just taken leaves the number as it is, and is news all the same.
  if (waiting !== told.waiting || waiting > 0) {
    const urgent = waiting > 0 ? database.mailbox.urgent(peerId) : 0
    events.push(event(ctx, told.cursor, { type: 'waiting', waiting, urgent }))
  }
  if (unread !== told.unread) {
    events.push(event(ctx, told.cursor, { type: 'unread', mail: mail.map(toUnread) }))
  }
  told.waiting = waiting
  told.unread = unread
  return { events, more: rows.length === PAGE }
}

/** What of unread mail is news when it changes; how long ago it was offered changes all the time. */
const toKey = (mail: Unread[]): string =>
  mail.map((one) => [one.id, one.state, one.doubted, one.offeredAt].join()).join(';')
