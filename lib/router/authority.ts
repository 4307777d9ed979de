/**
 * For which machines a caller may act. Its token says so, never a field of its input: the machine id that it names is
 * compared with what its token stands for. With the shared token a machine is whoever knows its id, which no answer tells.
 */
import { TRPCError } from '@trpc/server'
import type { Caller, Context } from './context.ts'

type Machine = { id: string; host: string }

/** The caller as its token stands now: a WebSocket may have been opened before it was bound or revoked. */
export function currentCaller({ caller, database }: Context): Caller {
  if (caller.kind !== 'machine') return caller
  const token = database.machineTokens.live(caller.tokenId)
  return token ? { ...caller, machineId: token.machineId } : { kind: 'nobody' }
}

/** Whether a caller, as its token stands now, may use the seats of a machine. */
export function mayActFor(
  { database, hub }: Pick<Context, 'database' | 'hub'>,
  caller: Caller,
  machineId: string,
): boolean {
  if (caller.kind === 'local') return true
  if (caller.kind === 'machine') return caller.machineId === machineId
  if (caller.kind === 'nobody') return false
  return machineId !== hub.machineId && database.machineTokens.ofMachine(machineId) === undefined
}

/**
 * Lets the caller in as this machine, and binds an invitation to it. Throws FORBIDDEN or CONFLICT, whose message says
 * what to do. It belongs inside `queue.run`.
 */
export function enterAs(ctx: Context, machine: Machine): void {
  const { database, hub } = ctx
  const caller = currentCaller(ctx)
  if (caller.kind === 'machine' && caller.machineId === null) {
    if (machine.id === hub.machineId) throw new TRPCError(OWN_MACHINE)
    const other = database.machineTokens.ofMachine(machine.id)
    if (other) {
      throw new TRPCError({
        code: 'CONFLICT',
        message: `This machine has joined as "${other.label}" already. To give it a new token, run \`claude-peers hub revoke ${other.label}\` on the hub first, and join again.`,
      })
    }
    database.machines.note(machine)
    database.machineTokens.bind(caller.tokenId, machine.id)
    return
  }
  if (!mayActFor(ctx, caller, machine.id))
    throw new TRPCError(caller.kind === 'fleet' ? NOT_BY_SHARED : NOT_ITS_OWN)
  database.machines.note(machine)
}

const OWN_MACHINE = {
  code: 'FORBIDDEN',
  message: 'This is the machine of the hub: its sessions need no invitation. Join from another machine.',
} as const
const NOT_BY_SHARED = {
  code: 'FORBIDDEN',
  message:
    'The shared token does not act for this machine: it has a token of its own, or runs the hub. Use that token.',
} as const
const NOT_ITS_OWN = {
  code: 'FORBIDDEN',
  message:
    'This token belongs to another machine, and acts for no other. Get one for this machine with `claude-peers hub invite` on the hub.',
} as const
