import { TRPCError } from '@trpc/server'
import { INVITATION_MS } from '#db/limits'
import type { MachineRow } from '#db/machines'
import type { MachineToken } from '#db/machine-tokens'
import { toName, USER_NAME } from '#db/names'
import { enterAs } from './authority.ts'
import type { Context } from './context.ts'
import {
  invitation,
  inviteInput,
  joined,
  joinInput,
  machineList,
  machinesInput,
  revoked,
  revokeInput,
  type KnownMachine,
} from './shapes/machines.ts'
import { guestProcedure, localProcedure, router } from './trpc.ts'
import { takeTurn } from './turn.ts'

const onHub = (command: string) =>
  localProcedure(`This is done on the machine of the hub: run \`claude-peers hub ${command}\` there.`)

export const machinesRouter = router({
  /** Makes a token for one other machine, which it has a day to use. */
  invite: onHub('invite <label>')
    .input(inviteInput)
    .output(invitation)
    .mutation(async ({ ctx, input: { label } }) => {
      const created = await ctx.database.queue.run(() => ctx.database.machineTokens.create(label))
      if (!created) {
        throw new TRPCError({
          code: 'CONFLICT',
          message: `A machine is called "${label}" already: revoke it first (\`claude-peers hub revoke ${label}\`), or take another label.`,
        })
      }
      const { row, text } = created
      const expiresAt = row.createdAt + INVITATION_MS
      return { id: row.id, label, token: text, urls: ctx.hub.urls(), expiresAt }
    }),

  /** The machines of the network and the invitations, but for the hub's own machine. */
  list: onHub('machines')
    .input(machinesInput)
    .output(machineList)
    .query(async ({ ctx, input: { cursor, limit } }) => {
      await takeTurn(ctx)
      const { machines, machineTokens } = ctx.database
      const start = Number(cursor ?? 0)
      const invited = machineTokens.list().map((token) => () => toTokenHolder(ctx, token))
      const shared = machines.withoutToken(ctx.hub.machineId).map((row) => () => toSharer(ctx, row))
      const all = [...invited, ...shared]
      const shown = all.slice(start, start + limit).map((toMachine) => toMachine())
      return { machines: shown, nextCursor: start + limit < all.length ? String(start + limit) : null }
    }),

  /** Ends the token of a machine: its sockets close at once, and its next call is refused. Its mail is kept. */
  revoke: onHub('revoke <label>')
    .input(revokeInput)
    .output(revoked)
    .mutation(async ({ ctx, input }) => {
      const token = await ctx.database.queue.run(() => ctx.database.machineTokens.revoke(input.machine))
      if (token) return { label: token.label, closed: ctx.hub.disconnect(token.id) }
      throw new TRPCError({
        code: 'NOT_FOUND',
        message: `No machine has a token by the label or id "${input.machine}": \`claude-peers hub machines\` lists them. A machine with the shared token is shut out by another "token" in the config.`,
      })
    }),

  /** A machine says that it is there: its invitation is bound to it, and it learns what its sessions will be called. */
  join: guestProcedure
    .input(joinInput)
    .output(joined)
    .mutation(async ({ ctx, input: { machine } }) => {
      const { database, hub, caller } = ctx
      await database.queue.run(() => {
        enterAs(ctx, machine)
        seatHubsPerson(ctx)
      })
      const host = toName(machine.host)
      const isHubs = machine.id !== hub.machineId && toName(hub.host) === host
      return {
        label:
          caller.kind === 'machine' ? (database.machineTokens.live(caller.tokenId)?.label ?? null) : null,
        host,
        hub: { host: toName(hub.host), version: hub.version },
        taken: isHubs || database.machines.isTaken(host, machine.id),
      }
    }),
})

/** Whoever joins may write to the person at the hub's machine, who may not have run a command there yet. */
function seatHubsPerson({ database, hub }: Context): void {
  const { machineId: id, host, home } = hub
  if (database.peers.named(USER_NAME).some((peer) => peer.machineId === id)) return
  const machine = { id, host, home }
  database.register(
    { machine, kind: 'user', root: home, cwd: home, isRepo: false, summary: 'the person at this machine' },
    { isHeld: () => false },
  )
}

function toTokenHolder(ctx: Context, token: MachineToken & { expired: boolean }): KnownMachine {
  const { id, label, machineId, createdAt, boundAt, seenAt } = token
  const { machines } = ctx.database
  const sockets = ctx.hub.socketsOf(id)
  return {
    tokenId: id,
    label,
    host: machineId === null ? null : (machines.hostOf(machineId) ?? null),
    state: toState(token),
    createdAt,
    boundAt,
    // Whoever holds a socket open answers on it every few seconds.
    seenAt: sockets > 0 ? ctx.database.now() : seenAt,
    sessions: machineId === null ? 0 : machines.sessionsOnline(machineId),
    sockets,
  }
}

function toState({
  revokedAt,
  machineId,
  expired,
}: MachineToken & { expired: boolean }): KnownMachine['state'] {
  if (revokedAt !== null) return 'revoked'
  if (machineId !== null) return 'joined'
  return expired ? 'expired' : 'invited'
}

function toSharer({ database }: Context, { id, host, createdAt, seenAt }: MachineRow): KnownMachine {
  const sessions = database.machines.sessionsOnline(id)
  const state = 'shared' as const
  return {
    tokenId: null,
    label: host,
    host,
    state,
    createdAt,
    boundAt: null,
    seenAt,
    sessions,
    sockets: null,
  }
}
