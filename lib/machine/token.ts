import { randomBytes } from 'node:crypto'
import { chmodSync, rmSync } from 'node:fs'
import { createPrivate, readIfThere, writePrivate } from './files.ts'

/** The token of the local hub; `undefined` before a hub has run here, or for what cannot be a token. */
export function readToken(path: string): string | undefined {
  const text = readIfThere(path)?.trim()
  return text && /^[\x21-\x7e]{16,512}$/.test(text) ? text : undefined
}

/** Puts the token of a running hub back where its clients look for it. */
export function restoreToken(path: string, token: string): void {
  if (readToken(path) !== token) writePrivate(path, `${token}\n`)
}

/** The token of the local hub, made at the first start: 256 bits, readable by its owner only. */
export function ensureToken(path: string): string {
  if (!readToken(path)) {
    rmSync(path, { force: true })
    createPrivate(path, `${randomBytes(32).toString('base64url')}\n`)
  }
  chmodSync(path, 0o600)
  return readToken(path)!
}
