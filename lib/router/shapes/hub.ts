import { z } from 'zod'
import { processIdentity, time } from './common.ts'

/** Raised when an older client could misunderstand an answer. */
export const PROTOCOL = 1

export const health = z.object({
  status: z.literal('ok'),
  name: z.literal('claude-peers'),
  version: z.string(),
  protocol: z.number().int(),
})

export const stats = z.object({
  version: z.string(),
  ...processIdentity.shape,
  startedAt: time,
  peers: z.object({ online: z.number().int(), known: z.number().int() }),
  deliveries: z.object({ queued: z.number().int(), offered: z.number().int(), settled: z.number().int() }),
  sockets: z.number().int(),
  /** Where other machines reach this hub; `trouble`: what keeps it from listening there now. */
  reach: z.object({ urls: z.array(z.string()), trouble: z.string().nullable() }),
})
export type Stats = z.infer<typeof stats>

export const stopInput = z
  .object({
    reason: z.enum(['asked', 'handover']).default('asked'),
    /** The one that is meant: another, which has its port by now, refuses. */
    process: processIdentity.optional(),
  })
  .optional()
/** The process that ends. */
export const stopping = processIdentity
