import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { createPrivate, readIfThere } from './files.ts'

/**
 * The stable id of this machine, made once; a hand-written one of 8 to 64 letters, digits and dashes is kept. Racing
 * processes agree on one.
 */
export function readMachineId(path: string): string {
  const found = parseMachineId(readIfThere(path))
  if (found) return found
  // What is no id is replaced; a race for an absent file is decided by the first to make it.
  if (readIfThere(path) !== undefined) rmSync(path, { force: true })
  createPrivate(path, `${randomUUID()}\n`)
  return parseMachineId(readIfThere(path))!
}

/** The id in the text of such a file, or `undefined` when it holds none. */
export function parseMachineId(text: string | undefined): string | undefined {
  const id = text?.trim()
  return id && /^[\w-]{8,64}$/.test(id) ? id : undefined
}
