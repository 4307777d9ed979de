/** What clients and hub agree on below the contract. It imports nothing, so that every room may read it. */

/** Where the procedures are mounted; the WebSocket is at the same path without the last slash. */
export const MOUNT = '/trpc/'
/** The header that carries a mailbox key, `<peer id>.<secret>`. */
export const KEY_HEADER = 'x-claude-peers-key'
/** The header of every answer that tells the hub's version. */
export const VERSION_HEADER = 'x-claude-peers-version'
