/**
 * Who may read what was said: the machines of its sender and its recipients, and that of the hub, whose person sees all
 * mail. Everybody else in the network sees that a message went by: from whom, to whom, when, how long.
 */
import { currentCaller } from './authority.ts'
import type { Context } from './context.ts'
import { findCaller } from './trpc.ts'

type Parties = { senderId: string; recipientId: string }

/**
 * The machine with whose eyes a caller reads; `undefined` for one that is not known to be of any. A token that machines
 * share says nothing of that: there the caller's mailbox key does.
 */
export function toReader(ctx: Context): string | undefined {
  const caller = currentCaller(ctx)
  if (caller.kind === 'local') return ctx.hub.machineId
  if (caller.kind === 'machine') return caller.machineId ?? undefined
  return findCaller(ctx, caller)?.machineId
}

/** Whether a machine may read the body of a message, as the copy for one recipient has it. */
export function mayRead({ database, hub }: Context, reader: string | undefined, mail: Parties): boolean {
  if (reader === undefined) return false
  const isParty = (id: string) => database.peers.seat(id)?.machineId === reader
  return reader === hub.machineId || isParty(mail.senderId) || isParty(mail.recipientId)
}
