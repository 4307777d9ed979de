import { randomBytes } from 'node:crypto'
import { chmodSync } from 'node:fs'
import { readIfThere, writePrivate } from './files.ts'

/** The token of the local hub, or `undefined` before a hub has run here. */
export function readToken(path: string): string | undefined {
  return readIfThere(path)?.trim() || undefined
}

/** The token of the local hub, made at the first start: 256 bits, readable by its owner only. */
export function ensureToken(path: string): string {
  const found = readToken(path)
  if (!found) writePrivate(path, `${randomBytes(32).toString('base64url')}\n`)
  chmodSync(path, 0o600)
  return readToken(path)!
}
