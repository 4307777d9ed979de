import { TRPCError } from '@trpc/server'
import type { SeatRow } from '#db/peer-rows'
import { resolveAddress } from './address.ts'
import type { Context } from './context.ts'
import { findLiveSessions } from './scope.ts'
import { EVERYBODY, type Audience } from './shapes/messages.ts'

/** Whom a message is for, each once; `scope` is set when it is for everybody there. */
export type Recipients = { recipients: SeatRow[]; scope: Audience | undefined }

/**
 * Finds the peers of the given addresses, or for `all` the live sessions of the scope. Throws BAD_REQUEST or NOT_FOUND,
 * whose message says what to do; that nobody is there is for the sender to find, who may have sent this before.
 */
export function resolveAudience(
  ctx: Context,
  self: SeatRow,
  { to, scope }: { to: string | string[]; scope?: Audience | undefined },
): Recipients {
  const addresses = [to].flat()
  const isForAll = addresses.some((address) => address.trim().toLowerCase() === EVERYBODY)
  if (!isForAll) {
    if (scope !== undefined) fail(`A scope belongs to the address "all": leave it out, or send to "all".`)
    return { recipients: addresses.map((address) => resolveOther(ctx, self, address)).filter(isFirst), scope }
  }
  if (addresses.length > 1) fail('The address "all" stands alone: leave the other addresses out.')
  const where = scope ?? 'machine'
  if (self.kind === 'user' && where !== 'machine') {
    fail(
      `The person is in no ${where === 'repo' ? 'repository' : where}: use the scope machine, or name the sessions.`,
    )
  }
  return { recipients: findLiveSessions(ctx, where, self), scope: where }
}

function resolveOther(ctx: Context, self: SeatRow, address: string): SeatRow {
  const peer = resolveAddress(ctx.database, address, self.machineId)
  if (peer.id === self.id) fail(`"${address}" is yourself: name another peer.`)
  return peer
}

const isFirst = (peer: SeatRow, index: number, all: SeatRow[]) =>
  all.findIndex((other) => other.id === peer.id) === index

function fail(message: string): never {
  throw new TRPCError({ code: 'BAD_REQUEST', message })
}
