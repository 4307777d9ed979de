import { initTRPC, TRPCError } from '@trpc/server'
import { ZodError } from 'zod'
import { matchesKey } from '#db/keys'
import type { SeatRow } from '#db/peer-rows'
import { currentCaller, mayActFor } from './authority.ts'
import type { Caller, Context } from './context.ts'

const t = initTRPC.context<Context>().create({
  isDev: false,
  errorFormatter({ shape, error }) {
    const { path, code, httpStatus } = shape.data
    return { ...shape, message: toPublicMessage(error), data: { path, code, httpStatus } }
  },
})

export const router = t.router
export const createCallerFactory = t.createCallerFactory

// Each kind of procedure is one middleware: tRPC copies the call and its context at every one that it passes.

/** Open to whoever reaches the hub, also without a token. */
export const publicProcedure = t.procedure.use(async ({ ctx, type, next }) => {
  await begin(ctx, type)
  return next()
})

/** Open to every holder of a token, also one that was only invited. */
export const guestProcedure = t.procedure.use(async ({ ctx, type, next }) => {
  await begin(ctx, type)
  return next({ ctx: { caller: requireToken(ctx) } })
})

/** Open to the machines of the network. */
export const procedure = t.procedure.use(async ({ ctx, type, next }) => {
  await begin(ctx, type)
  return next({ ctx: { caller: requireMember(ctx) } })
})

/** Open to the user of the hub's own machine; `instead` says where to do it. */
export const localProcedure = (instead: string) =>
  t.procedure.use(async ({ ctx, type, next }) => {
    await begin(ctx, type)
    const caller = requireMember(ctx)
    if (caller.kind === 'local') return next({ ctx: { caller } })
    throw new TRPCError({ code: 'FORBIDDEN', message: instead })
  })

/** Open to the holder of a mailbox key only; `ctx.self` is the seat that the key speaks for. */
export const peerProcedure = t.procedure.use(async ({ ctx, type, next }) => {
  await begin(ctx, type)
  const caller = requireMember(ctx)
  return next({ ctx: { caller, self: requireSelf(ctx, caller) } })
})

/** Takes a call from what the caller may make, and has a query wait for its turn. */
function begin(ctx: Context, type: string): Promise<void> | undefined {
  checkPace(ctx)
  return type === 'query' ? ctx.turn?.() : undefined
}

/** The caller as its token stands now. Throws UNAUTHORIZED when it has none (any more). */
export function requireToken(ctx: Context): Caller {
  const caller = currentCaller(ctx)
  if (caller.kind !== 'nobody') return caller
  throw new TRPCError({
    code: 'UNAUTHORIZED',
    message:
      'The token of this machine is not valid (any more): it was revoked, or its time to join is over.',
  })
}

/** The caller, when its machine is one of the network. Throws UNAUTHORIZED, or FORBIDDEN when it was only invited. */
function requireMember(ctx: Context): Caller {
  const caller = requireToken(ctx)
  if (caller.kind !== 'machine' || caller.machineId !== null) return caller
  throw new TRPCError({
    code: 'FORBIDDEN',
    message:
      'This machine was invited and has not joined yet: call machines.join, or register with peers.register.',
  })
}

/** The seat that the key speaks for, of a caller as its token stands now. Throws UNAUTHORIZED when there is none (any more). */
export function requireSelf(ctx: Context, caller: Caller): SeatRow {
  const self = findCaller(ctx, caller)
  if (self) return self
  throw new TRPCError({
    code: 'UNAUTHORIZED',
    message: ctx.key
      ? 'This mailbox key is not valid (any more): register again with peers.register.'
      : 'This call speaks for a peer and needs its mailbox key: register with peers.register.',
  })
}

function checkPace({ mayCall }: Context): void {
  if (mayCall === undefined || mayCall()) return
  throw new TRPCError({
    code: 'TOO_MANY_REQUESTS',
    message: 'This machine makes too many calls: it may make 200 a second. Try again in a moment.',
  })
}

/**
 * The seat that the caller's key speaks for; `undefined` without a key, with a wrong one, and with that of a seat for
 * whose machine the caller may not act.
 */
export function findCaller(ctx: Context, caller = ctx.caller): SeatRow | undefined {
  const { database, key } = ctx
  const [, id, secret] = /^(p_[0-9a-z]+)\.([\w-]+)$/.exec(key ?? '') ?? []
  if (!id || !secret) return undefined
  const seat = database.peers.seat(id)
  return seat && isKeyOf(ctx, secret, seat.keyHash) && mayActFor(ctx, caller, seat.machineId)
    ? seat
    : undefined
}

/** A key that was found to match a hash goes on to match it, and no other: a seat that changes hands gets a new one. */
function isKeyOf({ proof }: Context, secret: string, keyHash: string): boolean {
  if (proof?.keyHash === keyHash) return true
  const matches = matchesKey(secret, keyHash)
  if (proof && matches) proof.keyHash = keyHash
  return matches
}

/** The most that is said to be wrong with one input: a list of a thousand may be wrong a thousand times. */
const MOST_ISSUES = 5

/** What the caller may know of an error: our own words, or what is wrong with the input; never an internal message. */
function toPublicMessage(error: TRPCError): string {
  if (error.cause instanceof ZodError && error.code === 'BAD_REQUEST') {
    const words = [...new Set(error.cause.issues.map(toWords))]
    const more = words.length - MOST_ISSUES
    return [...words.slice(0, MOST_ISSUES), ...(more > 0 ? [`and ${more} more`] : [])].join('; ')
  }
  if (error.code !== 'INTERNAL_SERVER_ERROR') return error.message
  return 'The hub failed at this call; its log (~/.claude-peers/hub.log) says why. Nothing that was acknowledged is lost.'
}

/** Which field is wrong, and how; which one of a list is for programs. */
function toWords({ path, message }: { path: PropertyKey[]; message: string }): string {
  const field = path.filter((part) => typeof part === 'string').join('.')
  return field === '' ? message : `${field}: ${message}`
}
