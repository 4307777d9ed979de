import { and, asc, eq, exists, getTableColumns, gt, isNull, lte, or, sql } from 'drizzle-orm'
import type { Connection } from './connection.ts'
import type { SeatRow } from './peer-rows.ts'
import { deliveries, machines, peers } from './schema.ts'

type Roster = { rows: readonly SeatRow[]; madeOf: string; seenAfter: number; until: number }

/**
 * The seats that matter now: online, or seen since a moment, or with mail waiting; by name, host and id. Everybody who
 * lists them is given the same rows, which are read again only after a statement wrote to what they are made of. Of mail
 * that waits, only who was not seen for long is looked up again.
 */
export function createRoster(connection: Pick<Connection, 'orm' | 'sqlite' | 'writes'>) {
  const { writes, sqlite } = connection
  const statements = prepare(connection)
  let recent: Roster | undefined
  let whole: Roster | undefined

  function readRecent(seenAfter: number): Roster {
    const madeOf = `${writes.of('peers')} ${writes.of('machines')}`
    if (recent?.madeOf === madeOf && seenAfter >= recent.seenAfter && seenAfter < recent.until) return recent
    const rows = statements.recent.all({ seenAfter })
    const until = rows.reduce((least, row) => (row.online ? least : Math.min(least, row.seenAt)), Infinity)
    const read = { rows, madeOf, seenAfter, until }
    if (!sqlite.inTransaction) recent = read
    return read
  }

  return function list(seenAfter: number): readonly SeatRow[] {
    const known = readRecent(seenAfter)
    const madeOf = `${known.madeOf} ${writes.of('deliveries')}`
    if (whole?.madeOf === madeOf && whole.seenAfter === known.seenAfter) return whole.rows
    const kept = statements.kept.all({ seenAfter: known.seenAfter })
    const rows = [...known.rows, ...kept].toSorted(inOrder)
    if (!sqlite.inTransaction) whole = { ...known, rows, madeOf }
    return rows
  }
}

/** The order of a list, which no change of a session's state moves. */
export function inOrder(one: Placed, other: Placed): number {
  return compare(one.name, other.name) || compare(one.host, other.host) || compare(one.id, other.id)
}
export type Placed = Pick<SeatRow, 'name' | 'host' | 'id'>

const compare = (one: string, other: string) => (one < other ? -1 : Number(one > other))

function prepare({ orm }: Pick<Connection, 'orm'>) {
  const select = () =>
    orm
      .select({ ...getTableColumns(peers), host: machines.host, userHome: machines.userHome })
      .from(peers)
      .innerJoin(machines, eq(machines.id, peers.machineId))
  const waiting = orm
    .select({ one: sql`1` })
    .from(deliveries)
    .where(and(eq(deliveries.recipientId, peers.id), isNull(deliveries.settledAt)))
  const seenAfter = sql.placeholder('seenAfter')
  return {
    recent: select()
      .where(or(eq(peers.online, sql`1`), gt(peers.seenAt, seenAfter)))
      .orderBy(asc(peers.name))
      .prepare(),
    kept: select()
      .where(and(eq(peers.online, sql`0`), lte(peers.seenAt, seenAfter), exists(waiting)))
      .prepare(),
  }
}
