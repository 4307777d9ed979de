import type { Database } from '#db/open'
import type { Context } from './context.ts'
import type { Page } from './feed.ts'

/**
 * Where a follower stands among the changes: it was told all up to `cursor`. `since`: where it stood when it last was
 * up to date; of one that catches up in several pages that is where it began.
 */
export type Place = { cursor: number; since: number }

/** A page that is the same for everybody who stands at one place, and the cursor behind it. */
export type SharedPage<Data> = Page<Data> & { cursor: number }

/**
 * Gives the page after a place, and moves the place behind it. It is read once, and is one and the same object, for all
 * who stand there in one turn of the event loop: a change is told to thousands, who are at one place.
 */
export function sharePages<Data>(read: (ctx: Context, place: Readonly<Place>) => SharedPage<Data>) {
  const latest = new WeakMap<Database, Readonly<Place> & { lastSeq: number; page: SharedPage<Data> }>()

  function find(ctx: Context, { cursor, since }: Place): SharedPage<Data> {
    const { database } = ctx
    const lastSeq = database.lastSeq()
    const found = latest.get(database)
    if (found?.cursor === cursor && found.since === since && found.lastSeq === lastSeq) return found.page
    const page = read(ctx, { cursor, since })
    // Not everything that a page shows is numbered, and nobody pays for it once it is told.
    if (!found) setImmediate(() => latest.delete(database))
    latest.set(database, { cursor, since, lastSeq, page })
    return page
  }

  return (ctx: Context, place: Place): Page<Data> => {
    const page = find(ctx, place)
    place.cursor = page.cursor
    if (!page.more) place.since = page.cursor
    return page
  }
}
