import { z } from 'zod'

/** Milliseconds since the Unix epoch. */
export const time = z.number().int()
/** A message's number, as the model types it. */
export const messageId = z.number().int().positive()
/** Continues a feed after the event with this id; without it, the feed starts with a snapshot. */
export const feedInput = z.object({ lastEventId: z.string().max(32).optional() }).optional()
/**
 * Which process of a machine. `start` is an opaque text that differs when a pid is reused, `namespace` one that differs
 * where a pid means another process, as in a container.
 */
export const processIdentity = z.object({
  pid: z.number().int().positive(),
  start: z.string().min(1).max(128).optional(),
  namespace: z.string().min(1).max(128).optional(),
})
