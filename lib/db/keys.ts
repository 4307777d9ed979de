import { hash, randomBytes, timingSafeEqual } from 'node:crypto'

/** A new peer id, such as `p_4kq0z7v1m2xc`: its underscore keeps it apart from every name. */
export const toPeerId = (): string => `p_${createId()}`
/** A new id of a machine's token, such as `m_4kq0z7v1m2xc`. */
export const toTokenId = (): string => `m_${createId()}`

/** A new secret of 256 bits. */
export function createSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** What is stored of a secret. It has full entropy, so a plain hash is enough. */
export function hashKey(secret: string): string {
  return hash('sha256', secret)
}

/** Whether a secret matches a stored hash, in constant time. */
export function matchesKey(secret: string, stored: string): boolean {
  return timingSafeEqual(Buffer.from(hashKey(secret)), Buffer.from(stored))
}

const createId = () => randomBytes(8).readBigUInt64BE().toString(36).padStart(13, '0')
