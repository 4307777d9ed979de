import { randomUUID } from 'node:crypto'

/**
 * A new idempotency key for `messages.send`: 45 characters. It begins with its time, so that the hub finds the place of new
 * ones in its index next to each other; of random ones, each costs the write of another page.
 */
export const newKey = (): string => `${Date.now().toString(36)}-${randomUUID()}`
