import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Stats } from '#router/shapes/hub'
import { isLoopback } from './addresses.ts'
import type { Log } from './log.ts'
import { createRoutes, type Served } from './routes.ts'
import type { Sockets } from './sockets.ts'

/** Behind the guard, the hub answers 503 until it is given what it serves: it listens before it migrates. */
export type HubServer = {
  url: string
  /** Where other machines reach it, and what is in the way. */
  reach(): Stats['reach']
  serve(served: Served): void
  sockets: Pick<Sockets, 'count' | 'countOf' | 'disconnect'>
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

/** The address or port cannot be had; the message says what to do. */
export class ListenError extends Error {
  override name = 'ListenError'
}

/** Listens on the one port. Rejects with ListenError. */
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
    reach: () => ({ urls: isLoopback(name) ? [] : [`http://${name}:${address.port}`], trouble: null }),
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
    const fail = (cause: Error) => reject(toListenError(cause, where))
    server.once('error', fail)
    server.listen(where, () => {
      server.off('error', fail)
      resolve(server.address() as AddressInfo)
    })
  })
}

function toListenError(cause: Error & { code?: string }, { host, port }: { host: string; port: number }) {
  const reason = `The hub cannot listen at ${host}:${port} (${cause.code ?? cause.message}).`
  const next =
    cause.code === 'EADDRINUSE' || cause.code === 'EACCES'
      ? 'Set CLAUDE_PEERS_PORT, or stop what listens there; a broker of claude-peers v2 stops with its own "kill-broker".'
      : 'Set CLAUDE_PEERS_BIND, or "bind" in ~/.claude-peers.json, to an address that this machine has now.'
  return new ListenError(`${reason} ${next}`, { cause })
}
