import { z } from 'zod'
import { time } from './common.ts'
import { machine } from './peers.ts'

/** What the person calls another machine. */
export const label = z.string().regex(/^[a-z0-9-]{1,48}$/, 'use 1 to 48 of a to z, 0 to 9 and -')

export const inviteInput = z.object({ label })
/** `token` is told this once. `urls`: where the hub is reached by other machines. */
export const invitation = z.object({
  id: z.string(),
  label,
  token: z.string(),
  urls: z.array(z.string()),
  expiresAt: time,
})
export type Invitation = z.infer<typeof invitation>

/**
 * One other machine. `invited`: its token is not used yet; `expired`: nor can it be any more. `shared`: it came with the
 * token that several machines share, and has none of its own.
 */
export const knownMachine = z.object({
  tokenId: z.string().nullable(),
  label: z.string(),
  host: z.string().nullable(),
  state: z.enum(['invited', 'expired', 'joined', 'shared', 'revoked']),
  createdAt: time,
  boundAt: time.nullable(),
  seenAt: time.nullable(),
  /** Its sessions that are online. */
  sessions: z.number().int(),
  /** Its open WebSockets; null for a machine with the shared token, whose sockets are nobody's. */
  sockets: z.number().int().nullable(),
})
export type KnownMachine = z.infer<typeof knownMachine>
/** A page of them; `cursor`: the `nextCursor` of the page before, which is null after the last. */
export const machinesInput = z
  .object({
    cursor: z
      .string()
      .regex(/^\d{1,9}$/)
      .optional(),
    limit: z.number().int().min(1).max(200).default(100),
  })
  .prefault({})
export const machineList = z.object({ machines: z.array(knownMachine), nextCursor: z.string().nullable() })

/** `machine`: a label, or the id of a token. */
export const revokeInput = z.object({ machine: z.string().trim().toLowerCase().min(1).max(64) })
/** `closed`: how many WebSockets it had open. */
export const revoked = z.object({ label, closed: z.number().int() })

export const joinInput = z.object({ machine })
/** `label`: of its token, null without one of its own. `taken`: another machine has this host, too. */
export const joined = z.object({
  label: z.string().nullable(),
  host: z.string(),
  hub: z.object({ host: z.string(), version: z.string() }),
  taken: z.boolean(),
})
