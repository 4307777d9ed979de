import type { Socket } from 'node:net'
import { isNear, toSource } from './origin.ts'
import type { Refusals } from './refusals.ts'

/** The most connections that one other address may have open. Each session has one or two. */
const MAX_CONNECTIONS = 256

/** Makes the listener for new connections: what is too many from one address is hung up on. This machine has no limit. */
export function limitConnections(refusals: Pick<Refusals, 'note'>, most = MAX_CONNECTIONS) {
  const open = new Map<string, number>()
  return (socket: Socket): void => {
    if (isNear(socket)) return
    const source = toSource(socket)
    const before = open.get(source) ?? 0
    if (before >= most) {
      refusals.note(source, 429, `More than ${most} connections from one address.`)
      socket.destroy()
      return
    }
    open.set(source, before + 1)
    socket.once('close', () => {
      const left = open.get(source)! - 1
      if (left > 0) open.set(source, left)
      else open.delete(source)
    })
  }
}
