/**
 * Notices links that were cut silently: asks each WebSocket every 15 seconds whether it is there, and ends one that
 * does not answer within 5. One timer serves them all and asks a part at a time, so that thousands of sockets that
 * were opened together do not hold the event loop together. The question is a ping of the protocol (RFC 6455, 5.5.2),
 * which every client answers by itself.
 */
export type KeepAliveOptions = {
  pingMs?: number
  pongMs?: number
  now?: () => number
}

/** What it needs of a WebSocket. */
export type Link = {
  ping(): void
  terminate(): void
  on(event: 'message' | 'pong' | 'close', listener: () => void): unknown
}

export type KeepAlive = ReturnType<typeof createKeepAlive>

const PING_MS = 15_000
const PONG_MS = 5_000
/** How often `tick` is to be called at most. */
export const TICK_MS = 250
/** Twice what is due on average, so that a crowd spreads out within one round. */
const HEADROOM = 2
const FEWEST = 16

/** Makes the watch over links; its owner has to call `tick` when `dueIn` says so. */
export function createKeepAlive({
  pingMs = PING_MS,
  pongMs = PONG_MS,
  now = () => performance.now(),
}: KeepAliveOptions = {}) {
  // In the order in which they are due: each is appended with one and the same delay.
  const quiet = new Map<Link, number>()
  const asked = new Map<Link, number>()

  function heard(link: Link) {
    asked.delete(link)
    quiet.delete(link)
    quiet.set(link, now() + pingMs)
  }

  return {
    watch(link: Link) {
      heard(link)
      link.on('message', () => heard(link))
      link.on('pong', () => heard(link))
      link.on('close', () => {
        quiet.delete(link)
        asked.delete(link)
      })
    },
    /** How long there is nothing to do, in ms; `undefined` while there are no links. */
    dueIn(): number | undefined {
      const next = Math.min(...[asked, quiet].map((links) => links.values().next().value ?? Infinity))
      return next === Infinity ? undefined : Math.max(0, next - now())
    },
    /** Ends the links that did not answer, and asks those whose turn it is; tells how many of each. */
    tick(): { ended: number; asked: number } {
      const ended = due(asked, now(), Infinity)
      for (const link of ended) {
        asked.delete(link)
        link.terminate()
      }
      const most = Math.max(FEWEST, Math.ceil((quiet.size * HEADROOM * TICK_MS) / pingMs))
      const next = due(quiet, now(), most)
      for (const link of next) {
        quiet.delete(link)
        asked.set(link, now() + pongMs)
        link.ping()
      }
      return { ended: ended.length, asked: next.length }
    },
  }
}

function due(links: Map<Link, number>, time: number, most: number): Link[] {
  const found: Link[] = []
  for (const [link, at] of links) {
    if (at > time || found.length >= most) break
    found.push(link)
  }
  return found
}
