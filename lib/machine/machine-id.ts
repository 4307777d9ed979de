import { randomUUID } from 'node:crypto'
import { linkSync, rmSync, writeFileSync } from 'node:fs'
import { readIfThere } from './files.ts'

/**
 * The stable id of this machine, made once; a hand-written one of 8 to 64 letters, digits and dashes is kept. Racing
 * processes agree, because a link is made whole or not at all.
 */
export function readMachineId(path: string): string {
  return parse(readIfThere(path)) ?? createMachineId(path)
}

function createMachineId(path: string): string {
  const temporary = `${path}.${process.pid}.tmp`
  writeFileSync(temporary, `${randomUUID()}\n`, { mode: 0o600 })
  try {
    // An unreadable file is replaced; a race for an absent one is decided by the first link.
    if (readIfThere(path) !== undefined) rmSync(path)
    linkSync(temporary, path)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
  } finally {
    rmSync(temporary, { force: true })
  }
  return parse(readIfThere(path))!
}

function parse(text: string | undefined): string | undefined {
  const id = text?.trim()
  return id && /^[\w-]{8,64}$/.test(id) ? id : undefined
}
