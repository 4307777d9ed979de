import { initTRPC, TRPCError } from '@trpc/server'
import { ZodError } from 'zod'
import { matchesKey } from '#db/keys'
import type { Context } from './context.ts'

const t = initTRPC.context<Context>().create({
  isDev: false,
  errorFormatter({ shape, error }) {
    const { path, code, httpStatus } = shape.data
    return { ...shape, message: toPublicMessage(error), data: { path, code, httpStatus } }
  },
})

export const router = t.router
export const createCallerFactory = t.createCallerFactory

/** Open to everyone who passed the guard: holders of the hub's token. */
export const procedure = t.procedure

/** Open to the holder of a mailbox key only; `ctx.self` is the peer that the key speaks for. */
export const peerProcedure = t.procedure.use(({ ctx, next }) => {
  const self = findCaller(ctx)
  if (!self) {
    throw new TRPCError({
      code: 'UNAUTHORIZED',
      message: ctx.key
        ? 'This mailbox key is not valid (any more): register again with peers.register.'
        : 'This call speaks for a peer and needs its mailbox key: register with peers.register.',
    })
  }
  return next({ ctx: { ...ctx, self } })
})

/** The peer that the caller's key speaks for; `undefined` without a key or with a wrong one. */
export function findCaller({ database, key }: Context) {
  const [, id, secret] = /^(p_[0-9a-z]+)\.([\w-]+)$/.exec(key ?? '') ?? []
  if (!id || !secret) return undefined
  const peer = database.peers.get(id)
  return peer && matchesKey(secret, peer.keyHash) ? peer : undefined
}

/** What the caller may know of an error: our own words, or what is wrong with the input; never an internal message. */
function toPublicMessage(error: TRPCError): string {
  if (error.cause instanceof ZodError && error.code === 'BAD_REQUEST') {
    return error.cause.issues.map(toWords).join('; ')
  }
  if (error.code !== 'INTERNAL_SERVER_ERROR') return error.message
  return 'The hub failed at this call; its log (~/.claude-peers/hub.log) says why. Nothing that was acknowledged is lost.'
}

/** Which field is wrong, and how; which one of a list is for programs. */
function toWords({ path, message }: { path: PropertyKey[]; message: string }): string {
  const field = path.filter((part) => typeof part === 'string').join('.')
  return field === '' ? message : `${field}: ${message}`
}
