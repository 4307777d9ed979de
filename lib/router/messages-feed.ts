import { MESSAGES_TOPIC } from '#db/bell'
import { toReader } from './bodies.ts'
import type { Context } from './context.ts'
import { event, PAGE, toFeed, toListener, toStart, type Feed } from './feed.ts'
import { sharePages, type SharedPage } from './shared-page.ts'
import type { LogEntry } from './shapes/messages.ts'
import { requireToken } from './trpc.ts'
import { toLogEntry } from './views.ts'

type MessageEvent = { type: 'message'; entry: LogEntry }

/** Every message of the network, as it is sent and as its receipts change. */
export function watchMessages(
  context: Context,
  lastEventId: string | undefined,
  signal: AbortSignal | undefined,
): Feed<MessageEvent> {
  const ctx = toListener(context)
  const start = toStart(lastEventId, ctx)
  const place = { cursor: start, since: start }
  const read = () => readPage(ctx, place)
  return toFeed(ctx, { topic: MESSAGES_TOPIC, check: () => requireToken(ctx), read }, signal)
}

const readPage = sharePages((ctx, { cursor }): SharedPage<MessageEvent> => {
  const { database } = ctx
  const reader = toReader(ctx)
  const rows = database.messages.changedSince(cursor, PAGE)
  const more = rows.length === PAGE
  return {
    events: rows.map((row) => {
      const entry = toLogEntry(ctx, row, reader)
      return event(ctx, row.changedSeq, { type: 'message', entry } as const)
    }),
    more,
    cursor: more ? rows.at(-1)!.changedSeq : database.lastSeq(),
  }
}, toReader)
