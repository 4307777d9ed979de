import { rmSync } from 'node:fs'
import { z } from 'zod'
import { parseJson, readIfThere, writePrivate } from './files.ts'
import { readProcess } from './processes.ts'

const shape = z.object({
  url: z.url(),
  tokenPath: z.string(),
  pid: z.number().int().positive(),
  /** When that process started, as `readProcess` tells it; absent where the system does not tell. */
  start: z.string().optional(),
  version: z.string(),
  /** The path of the database that it serves. */
  database: z.string(),
  /** It runs in the foreground, where whoever started it looks after it: it hands over to nobody. */
  foreground: z.boolean().optional(),
})

/** Where the running hub of this user is to be found. */
export type Rendezvous = z.infer<typeof shape>

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
  return found && !found.ended && found.start === left?.start ? left : undefined
}

export function writeRendezvous(path: string, rendezvous: Rendezvous): void {
  writePrivate(path, `${JSON.stringify(rendezvous)}\n`)
}

/** Removes the file unless another hub has written it since. */
export function removeRendezvous(path: string, pid: number): void {
  if (readRendezvous(path)?.pid === pid) rmSync(path, { force: true })
}
