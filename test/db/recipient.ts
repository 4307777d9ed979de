import { expect } from 'vitest'
import type { World } from './harness.ts'

/** The session that holds a recipient's seat, as it changes; the seat must stay the same through all of it. */
export type Recipient = {
  id: string
  /** What happens to the session of the seat. */
  change(how: 'clear' | 'reconnect' | 'resume' | 'succeed'): void
}

/** Opens a session with a seat of its own in `/src/<name>`. */
export function openRecipient(world: World, name: string): Recipient {
  let count = 0
  const root = `/src/${name}`
  const next = () => `${name}-${++count}`
  let process = { pid: 100, pidStart: next() }
  let sessionId = next()
  const register = () => world.register({ root, sessionId, ...process })
  const { peer } = register()
  world.held.add(peer.id)

  function reenter(origin: string, mayChange: () => void) {
    world.held.delete(peer.id)
    mayChange()
    const again = register()
    expect(again).toMatchObject({ origin, peer: { id: peer.id, name: peer.name } })
    world.held.add(peer.id)
  }

  return {
    id: peer.id,
    change(how) {
      switch (how) {
        case 'clear':
          sessionId = next()
          world.commit(() => world.database.peers.bindSession(peer.id, sessionId))
          break
        case 'reconnect':
          reenter('same-process', () => undefined)
          break
        case 'resume':
          reenter('resumed', () => (process = { pid: 100, pidStart: next() }))
          break
        case 'succeed':
          reenter('succeeded', () => {
            process = { pid: 100, pidStart: next() }
            sessionId = next()
          })
          break
      }
    },
  }
}
