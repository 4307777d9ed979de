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

type Latest<Data> = Readonly<Place> & { lastSeq: number; page: SharedPage<Data> }

/**
 * Gives the page after a place, and moves the place behind it. It is read once, and is one and the same object, for all of
 * one `group` who stand there in one turn of the event loop: a change is told to thousands, who are at one place.
 */
export function sharePages<Data>(
  read: (ctx: Context, place: Readonly<Place>) => SharedPage<Data>,
  toGroup: (ctx: Context) => string | undefined = () => undefined,
) {
  const known = new WeakMap<Database, Map<string | undefined, Latest<Data>>>()

  function open(database: Database) {
    const latest = known.get(database) ?? new Map<string | undefined, Latest<Data>>()
    // Not everything that a page shows is numbered, and nobody pays for it once it is told.
    if (!known.has(database)) setImmediate(() => known.delete(database))
    known.set(database, latest)
    return latest
  }

  function find(ctx: Context, { cursor, since }: Place): SharedPage<Data> {
    const { database } = ctx
    const lastSeq = database.lastSeq()
    const latest = open(database)
    const group = toGroup(ctx)
    const found = latest.get(group)
    if (found?.cursor === cursor && found.since === since && found.lastSeq === lastSeq) return found.page
    const page = read(ctx, { cursor, since })
    latest.set(group, { cursor, since, lastSeq, page })
    return page
  }

  return (ctx: Context, place: Place): Page<Data> => {
    const page = find(ctx, place)
    place.cursor = page.cursor
    if (!page.more) place.since = page.cursor
    return page
  }
}
