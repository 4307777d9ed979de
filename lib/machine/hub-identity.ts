/**
 * What a hub says of itself when it is asked for a proof: which process serves, and what. All of it is signed together
 * with the question. The file that the hub leaves for its clients says the same, but it may be of the hub before: joined
 * with the proof of the next one, it once named a dead process in every card.
 */
import { z } from 'zod'
import { processIdentity } from '#router/shapes/common'
import { parseJson } from './files.ts'
import { toIdentity, type ProcessIdentity } from './processes.ts'

const shape = z.object({
  ...processIdentity.shape,
  version: z.string(),
  /** The path of the database that it serves. */
  database: z.string(),
  /** It runs in the foreground, where whoever started it looks after it: it hands over to no other hub. */
  foreground: z.boolean().optional(),
})

/** The process that serves, and what it serves. */
export type HubIdentity = z.infer<typeof shape>

export const hubShape = shape

/** The text that a hub signs. */
export const toIdentityText = (identity: HubIdentity): string => JSON.stringify(shape.parse(identity))

/** Reads such a text once its signature is known to be right; `undefined` for that of another version. */
export const readIdentityText = (text: string): HubIdentity | undefined =>
  shape.safeParse(parseJson(text)).data

/** The process of a hub of this machine; `undefined` for a hub of another. */
export function processOf({ pid, start, namespace }: Partial<ProcessIdentity>): ProcessIdentity | undefined {
  return pid === undefined ? undefined : toIdentity({ pid, start, namespace })
}

const REPLACES = '--replaces='

/** The word on a hub's command line for the process of the older hub that is to hand over. */
export const toReplaces = (older: ProcessIdentity): string =>
  `${REPLACES}${JSON.stringify(toIdentity(older))}`

/** Reads it among the words of a command line. Throws for one that names no process. */
export function readReplaces(args: string[]): ProcessIdentity | undefined {
  const word = args.find((arg) => arg.startsWith(REPLACES))
  return word === undefined ? undefined : processIdentity.parse(parseJson(word.slice(REPLACES.length)))
}
