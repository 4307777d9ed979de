import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Log } from './log.ts'
import { createRoutes, type Served } from './routes.ts'

/** Behind the guard, the hub answers 503 until it is given what it serves: it listens before it migrates. */
export type HubServer = {
  url: string
  serve(served: Served): void
  sockets: () => number
  /** Stops accepting, lets calls under way finish, and asks the WebSockets to come back later. */
  close(): Promise<void>
}

export type ListenOptions = {
  bind: string
  port: number
  localToken: string
  sharedToken: string | undefined
  /** Names besides the address by which clients call this hub. */
  hosts: string[]
  version: string
  log: Log
}

/** How long calls under way may take at shutdown. */
const CLOSE_WAIT_MS = 1_000
const LIMITS = {
  /** A client that takes longer over its headers, or its whole request, is cut off. */
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  maxHeaderSize: 16_384,
}

/** Listens on the one port. Rejects with what the system says, such as EADDRINUSE. */
export async function listen(options: ListenOptions): Promise<HubServer> {
  const { bind, port, log } = options
  // In the form in which clients send it back to us as the Host: IPv6 has several.
  const name = new URL(`http://${bind.includes(':') ? `[${bind}]` : bind}`).hostname
  const routes = createRoutes({ ...options, hosts: [name, ...options.hosts] })
  const server = createServer(LIMITS, routes.call)
  server.on('upgrade', routes.upgrade)
  const address = await bound(server, { port, host: bind })
  // Such as a connection that comes when no file descriptor is left: the next one may fare better.
  server.on('error', (cause) => log.error({ err: cause }, 'cannot accept a connection'))
  return {
    url: `http://${name}:${address.port}`,
    sockets: routes.sockets,
    serve: routes.serve,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      const impatience = setTimeout(() => server.closeAllConnections(), CLOSE_WAIT_MS)
      await routes.close()
      await closed
      clearTimeout(impatience)
    },
  }
}

function bound(server: Server, where: { port: number; host: string }): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(where, () => {
      server.off('error', reject)
      resolve(server.address() as AddressInfo)
    })
  })
}
