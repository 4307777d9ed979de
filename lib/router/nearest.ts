import type { SeatRow } from '#db/peer-rows'
import type { Context } from './context.ts'
import { findListed, takeSome, toSeen, type Wanted } from './roster.ts'
import { isOfRepository } from './scope.ts'
import type { Nearest } from './shapes/peers.ts'

/**
 * The peers that matter most to the caller, at most `limit`, and how many there are: of its repository, then of its
 * machine, then the others, the latest first. Who is there comes before who is gone, but of three one is gone: mail to
 * a colleague who closed its session is worth more than the fortieth stranger who is online.
 */
export function findNearest(
  ctx: Context,
  self: SeatRow | undefined,
  { limit, ...wanted }: Wanted & { limit: number },
): Omit<Nearest, 'self'> {
  const others = findListed(ctx, self, wanted).filter((row) => row.id !== self?.id)
  const byDistance = (one: SeatRow, other: SeatRow) =>
    toDistance(one, self) - toDistance(other, self) || other.seenAt - one.seenAt
  const [here, gone] = [others.filter(isHere), others.filter((row) => !isHere(row))].map((rows) =>
    rows.toSorted(byDistance),
  ) as [SeatRow[], SeatRow[]]
  const peers = takeSome(mix(here, gone).slice(0, limit)).map((row) => toSeen(ctx, row))
  return { peers, total: { online: here.length, gone: gone.length } }
}

/** The person reads an inbox, and is never gone. */
const isHere = (row: SeatRow) => row.online || row.kind === 'user'

function toDistance(row: SeatRow, self: SeatRow | undefined): number {
  if (row.machineId !== self?.machineId) return 2
  return isOfRepository(row, self) ? 0 : 1
}

function mix(here: SeatRow[], gone: SeatRow[]): SeatRow[] {
  const mixed: SeatRow[] = []
  for (let turn = 0; mixed.length < here.length + gone.length; turn++) {
    mixed.push(...here.slice(turn * 2, turn * 2 + 2), ...gone.slice(turn, turn + 1))
  }
  return mixed
}
