import { rmSync } from 'node:fs'
import { z } from 'zod'
import { parseJson, readIfThere, writePrivate } from './files.ts'
import { hubShape, type HubIdentity } from './hub-identity.ts'
import { canSee, isIdentical, isKnownToRun, toIdentity, type ProcessIdentity } from './processes.ts'

const shape = z.object({
  url: z.url(),
  tokenPath: z.string(),
  ...hubShape.shape,
})

/**
 * Where the running hub of this user is to be found. It is a hint where to look: what answers there proves itself, and
 * says itself which process it is.
 */
export type Rendezvous = HubIdentity & { url: string; tokenPath: string }

/** What a hub left about itself, which may have ended since; `undefined` when there is nothing readable. */
export function readRendezvous(path: string): Rendezvous | undefined {
  try {
    return shape.safeParse(parseJson(readIfThere(path))).data
  } catch {
    // Another user's file, or a directory: the hub that cannot write there says so.
    return undefined
  }
}

/**
 * The same, if the process that left it runs: its pid, start time and namespace together prove that. Nothing for a hub
 * that cannot be seen from here, as that of a container.
 */
export function readLiveRendezvous(path: string): Rendezvous | undefined {
  const left = readRendezvous(path)
  return left?.start !== undefined && isKnownToRun(left) ? left : undefined
}

/** The same of a hub in another pid namespace, of which nobody here knows whether it runs. */
export function readUnseenRendezvous(path: string): Rendezvous | undefined {
  const left = readRendezvous(path)
  return left && !canSee(left) ? left : undefined
}

export function writeRendezvous(path: string, rendezvous: Rendezvous): void {
  writePrivate(path, `${JSON.stringify(rendezvous)}\n`)
}

/** Removes the file unless another hub has written it since. */
export function removeRendezvous(path: string, own: ProcessIdentity): void {
  const left = readRendezvous(path)
  if (left && isIdentical(toIdentity(left), own)) rmSync(path, { force: true })
}
