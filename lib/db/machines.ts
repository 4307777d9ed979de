import { and, asc, eq, gte, ne, sql } from 'drizzle-orm'
import type { Connection } from './connection.ts'
import { toName, uniqueName } from './names.ts'
import { formerMachineId } from './old-rows.ts'
import { selectPeers } from './peer-rows.ts'
import { writePeers } from './peer-writes.ts'
import { machines, machineTokens, peers } from './schema.ts'

export type Machines = ReturnType<typeof createMachines>
export type MachineRow = typeof machines.$inferSelect

/** Reads and changes of machines. All are synchronous; writes belong inside `queue.run`. */
export function createMachines(connection: Connection) {
  const { now, nextSeq } = connection
  const reads = selectPeers(connection)
  const writes = writePeers(connection)
  const statements = prepare(connection)

  return {
    /**
     * Notes that a machine was heard of, and its label, in the form that names have. The label is part of every address
     * on the machine, so a new one is a change of all of its seats. Seats that v2 knew by that label alone become its own.
     */
    note({ id, host: label, home }: { id: string; host: string; home?: string | undefined }) {
      const host = toName(label)
      const before = reads.hostOf.get({ id })
      writes.noteMachine.run({ id, host, userHome: home ?? null, now: now() })
      if (before?.host === host) return
      const renamed = before ? reads.ofMachine.all({ machineId: id }) : []
      for (const seat of renamed) writes.relabel.run({ id: seat.id, changedSeq: nextSeq() })
      for (const seat of reads.ofMachine.all({ machineId: formerMachineId(host) })) {
        const name = uniqueName(
          seat.name,
          (wanted) => reads.ofName.get({ machineId: id, name: wanted }) !== undefined,
        )
        writes.move.run({ id: seat.id, machineId: id, name, changedSeq: nextSeq() })
      }
    },
    hostOf: (id: string): string | undefined => reads.hostOf.get({ id })?.host,
    /** Whether a machine other than `id` has this label, as `note` keeps it. */
    isTaken: (host: string, id: string): boolean =>
      statements.others.get({ host: toName(host), id }) !== undefined,
    /** The machines that were heard of without a token of their own, but for `exceptId`, by label. */
    withoutToken: (exceptId: string): MachineRow[] => statements.withoutToken.all({ exceptId }),
    /** How many sessions of a machine are online. */
    sessionsOnline: (id: string): number => statements.sessionsOnline.get({ id })!.count,
    /** How many seats of a machine were heard of since then. */
    seatsSince: (id: string, since: number): number => statements.seatsSince.get({ id, since })!.count,
  }
}

function prepare({ orm }: Connection) {
  const id = sql.placeholder('id')
  // A machine whose token was revoked counts again once it came back by another way.
  const hasToken = sql`exists (
    select 1 from ${machineTokens} where ${machineTokens.machineId} = ${machines.id}
      and (${machineTokens.revokedAt} is null or ${machineTokens.revokedAt} >= ${machines.seenAt})
  )`
  return {
    others: orm
      .select({ id: machines.id })
      .from(machines)
      .where(and(eq(machines.host, sql.placeholder('host')), ne(machines.id, id)))
      .limit(1)
      .prepare(),
    withoutToken: orm
      .select()
      .from(machines)
      .where(
        and(
          ne(machines.id, sql.placeholder('exceptId')),
          // What v2 knew by its label alone is no machine that ever came.
          sql`${machines.id} not like ${formerMachineId('%')}`,
          sql`not ${hasToken}`,
        ),
      )
      .orderBy(asc(machines.host), asc(machines.id))
      .prepare(),
    seatsSince: orm
      .select({ count: sql<number>`count(*)` })
      .from(peers)
      .where(and(eq(peers.machineId, id), gte(peers.seenAt, sql.placeholder('since'))))
      .prepare(),
    sessionsOnline: orm
      .select({ count: sql<number>`count(*)` })
      .from(peers)
      .where(and(eq(peers.machineId, id), eq(peers.online, sql`1`), eq(peers.kind, sql`'session'`)))
      .prepare(),
  }
}
