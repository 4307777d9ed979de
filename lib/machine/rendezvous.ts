import { rmSync } from 'node:fs'
import { z } from 'zod'
import { parseJson, readIfThere, writePrivate } from './files.ts'
import { hubShape, type HubIdentity } from './hub-identity.ts'
import { isIdentical, readProcess, toIdentity, type ProcessIdentity } from './processes.ts'

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

/** The same, if the process that left it runs: its pid and start time together prove that. */
export function readLiveRendezvous(path: string): Rendezvous | undefined {
  const left = readRendezvous(path)
  const found = left?.start === undefined ? undefined : readProcess(left.pid)
  return found && !found.ended && isIdentical(toIdentity(found), toIdentity(left!)) ? left : undefined
}

export function writeRendezvous(path: string, rendezvous: Rendezvous): void {
  writePrivate(path, `${JSON.stringify(rendezvous)}\n`)
}

/** Removes the file unless another hub has written it since. */
export function removeRendezvous(path: string, own: ProcessIdentity): void {
  const left = readRendezvous(path)
  if (left && isIdentical(toIdentity(left), own)) rmSync(path, { force: true })
}
