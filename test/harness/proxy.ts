import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { findPort } from './port.ts'

/** Which way bytes stand still: towards the hub, back to the client, or both. */
export type Direction = 'both' | 'up' | 'down'

/**
 * A way to a hub that a test can break, on a loopback port of its own: raw TCP, so TLS passes it as well. With
 * `broker_url` set to it, the hub is a remote one to whoever calls. Disposing it ends every connection.
 */
export type Proxy = AsyncDisposable & {
  /** `http://127.0.0.1:<port>`. */
  url: string
  port: number
  /** Ends every connection with a reset, and refuses new ones: nothing listens there. */
  cut(): Promise<void>
  /** Nothing moves any more, and nobody is told: what is sent is held, new connections are taken and lead nowhere. */
  freeze(direction?: Direction): void
  /** All is well again: what was held goes on, as TCP would repeat it. With `reset`, frozen connections break. */
  mend(options?: { reset?: boolean }): Promise<void>
  /** From now on connections go there: a hub that was started again may have another port. */
  aim(target: string): void
  /** How many connections were made since the start. */
  connections(): number
}

/** Opens the way to the hub at a URL, which need not run yet. */
export async function openProxy(target: string): Promise<Proxy> {
  let aimed = new URL(target)
  let frozen: Direction | undefined
  let connections = 0
  const pairs = new Set<Pair>()
  const server = createServer({ pauseOnConnect: true }, (client) => {
    connections++
    const pair = join(client, () => aimed)
    pairs.add(pair)
    client.on('close', () => pairs.delete(pair))
    pair.hold(frozen)
  })
  const port = await findPort()
  const listen = async () => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  await listen()
  const end = async () => {
    const closed = server.listening ? once(server, 'close') : undefined
    if (closed) server.close()
    for (const pair of pairs) pair.break()
    await closed
  }
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    cut: end,
    freeze(direction = 'both') {
      frozen = direction
      for (const pair of pairs) pair.hold(direction)
    },
    async mend({ reset = false } = {}) {
      frozen = undefined
      for (const pair of pairs) {
        if (reset) pair.break()
        else pair.hold(undefined)
      }
      if (!server.listening) await listen()
    },
    aim: (given) => void (aimed = new URL(given)),
    connections: () => connections,
    [Symbol.asyncDispose]: end,
  }
}

type Pair = { hold(direction: Direction | undefined): void; break(): void }

/** The connection onward is made once bytes may go that way. */
function join(client: Socket, toTarget: () => URL): Pair {
  let hub: Socket | undefined
  const reach = () => {
    if (hub) return hub
    const { hostname, port } = toTarget()
    hub = connect({ host: hostname.replaceAll(/[[\]]/g, ''), port: Number(port), noDelay: true })
    hub.on('error', () => client.resetAndDestroy()).on('close', () => client.destroy())
    client.on('close', () => hub?.destroy())
    return hub
  }
  client.setNoDelay(true).on('error', () => client.destroy())
  return {
    hold(direction) {
      client.unpipe().pause()
      if (direction === undefined || direction === 'down') client.pipe(reach())
      hub?.unpipe().pause()
      if (direction === undefined || direction === 'up') hub?.pipe(client)
    },
    break() {
      client.resetAndDestroy()
      hub?.destroy()
    },
  }
}
