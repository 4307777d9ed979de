import { TRPCError } from '@trpc/server'
import type { SeatRow } from '#db/peer-rows'
import { isHeld, type Context } from './context.ts'
import type { Scope } from './shapes/peers.ts'

/** A seat that nobody holds, and that no mail waits for, is listed for 48 hours after it was last heard of. */
export const LISTED_MS = 48 * 60 * 60 * 1_000

/** Whether a peer is in a scope as `self` sees it. Throws BAD_REQUEST where nobody looks. */
export function isWithin(scope: Scope, self: SeatRow | undefined): (row: SeatRow) => boolean {
  if (scope === 'network') return () => true
  if (!self) {
    throw new TRPCError({
      code: 'BAD_REQUEST',
      message: `The scope "${scope}" is seen from a peer: send its mailbox key, or ask for the scope "network".`,
    })
  }
  if (scope === 'machine') return (row) => row.machineId === self.machineId
  if (scope === 'directory') return (row) => row.machineId === self.machineId && row.cwd === self.cwd
  return (row) => row.machineId === self.machineId && isOfRepository(row, self)
}

/** Whether two seats of one machine work in one repository. All its worktrees are one. */
export const isOfRepository = (one: SeatRow, other: SeatRow): boolean =>
  one.root === other.root || (one.repository !== null && one.repository === other.repository)

/** The sessions of a scope that run now, without `self`, by address; the person is none of them. */
export function findLiveSessions(ctx: Context, scope: Scope, self: SeatRow): SeatRow[] {
  const { database, hub } = ctx
  const isInScope = isWithin(scope, self)
  return database.peers
    .list(database.now() - LISTED_MS)
    .filter((row) => row.kind === 'session' && row.id !== self.id && isInScope(row) && isHeld(hub, row))
}
