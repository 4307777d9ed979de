/**
 * Where the hub listens: always on this machine's loopback, so that its own sessions never depend on a private network,
 * and on the configured address as well if that is another. An address that this machine does not have now (Tailscale
 * is not up yet) is tried again; the hub serves this machine meanwhile.
 */
import { lookup } from 'node:dns/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isLoopback, ownAddresses, toHost, toUrlHost } from '#machine/address'
import { ANY } from '#machine/settings'
import type { Log } from './log.ts'

/** The address or port cannot be had; the message says what to do. */
export class ListenError extends Error {
  override name = 'ListenError'
}

export type Listeners = {
  /** Where this machine reaches the hub. */
  url: string
  /** The addresses of other machines' URLs; empty when only this machine reaches it. */
  addresses(): string[]
  port: number
  /** What keeps the hub from listening at the configured address now, in a sentence. */
  trouble(): string | undefined
  /** Accepts no more, and waits until every connection has ended; after `waitMs` those that are left are ended. */
  close(waitMs: number): Promise<void>
}

export type ListenerOptions = {
  /** A host in its one spelling, or `any`. */
  bind: string
  port: number
  makeServer: () => Server
  log: Log
  /** Told each time when the configured address is there. */
  onReach: () => void
  retryMs?: number
  /** Finds the address of a name. */
  resolve?: (host: string) => Promise<string>
}

const LOOPBACK = '127.0.0.1'
const RETRY_MS = 5_000
/** No waiting mends these: another program has the port, or this user may not have it. */
const FATAL = new Set(['EADDRINUSE', 'EACCES'])

/** Listens. Rejects with ListenError, and leaves nothing open then. */
export async function openListeners(options: ListenerOptions): Promise<Listeners> {
  const { bind, log, onReach, retryMs = RETRY_MS, resolve = findAddress } = options
  const servers = new Set<Server>()
  let trouble: string | undefined
  let timer: NodeJS.Timeout | undefined
  let closed = false

  async function open(host: string | undefined, port: number): Promise<number> {
    const server = options.makeServer()
    const address = await listen(server, { host, port })
    // Such as a connection that comes when no file descriptor is left: the next one may fare better.
    server.on('error', (cause) => log.error({ err: cause }, 'cannot accept a connection'))
    if (closed) server.close()
    else servers.add(server)
    return address.port
  }

  async function openBind(port: number): Promise<void> {
    await open(await resolve(bind), port)
    trouble = undefined
    onReach()
  }

  function tryLater(cause: NodeJS.ErrnoException, port: number) {
    const words = `The hub cannot listen at ${toUrlHost(bind)}:${port} now (${cause.code ?? cause.message}): other machines do not reach it. It tries again every ${RETRY_MS / 1_000} seconds.`
    if (trouble !== words) log.warn(words)
    trouble = words
    timer = setTimeout(() => {
      openBind(port).then(
        () => log.info({ bind, port }, 'hub listens for other machines'),
        (again: NodeJS.ErrnoException) => closed || tryLater(again, port),
      )
    }, retryMs)
  }

  const own = isLoopback(bind) ? bind : bind === ANY ? undefined : LOOPBACK
  const port = await open(own, options.port).catch((cause: NodeJS.ErrnoException) => {
    throw toListenError(cause, own ?? ANY, options.port)
  })
  const isShared = !isLoopback(bind)
  if (bind === ANY) onReach()
  else if (isShared) {
    try {
      await openBind(port)
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      if (FATAL.has(code!)) {
        for (const server of servers) server.close()
        throw toListenError(cause as NodeJS.ErrnoException, bind, port)
      }
      tryLater(cause as NodeJS.ErrnoException, port)
    }
  }

  return {
    url: `http://${toUrlHost(own ?? LOOPBACK)}:${port}`,
    addresses: () => (isShared ? (bind === ANY ? ownAddresses().filter(isRoutable) : [bind]) : []),
    port,
    trouble: () => trouble,
    async close(waitMs) {
      closed = true
      clearTimeout(timer)
      const ended = [...servers].map((server) => new Promise<void>((done) => server.close(() => done())))
      const impatience = setTimeout(() => {
        for (const server of servers) server.closeAllConnections()
      }, waitMs)
      await Promise.all(ended)
      clearTimeout(impatience)
    },
  }
}

/** The address of a name. Debian names a machine 127.0.1.1, where no other machine reaches it: that is none. */
async function findAddress(host: string): Promise<string> {
  const { address } = await lookup(host)
  if (isLoopback(address)) throw new Error(`${host} means ${address} on this machine: bind to its address`)
  return toHost(address) ?? address
}

/** An IPv6 address of a link alone means nothing elsewhere. */
const isRoutable = (address: string) => !/^fe[89ab]/.test(address)

function listen(server: Server, where: { port: number; host: string | undefined }): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(where, () => {
      server.off('error', reject)
      resolve(server.address() as AddressInfo)
    })
  })
}

function toListenError(cause: NodeJS.ErrnoException, host: string, port: number): ListenError {
  const place = host === ANY ? `port ${port}` : `${toUrlHost(host)}:${port}`
  const reason = `The hub cannot listen at ${place} (${cause.code ?? cause.message}).`
  const next = FATAL.has(cause.code!)
    ? 'Stop what listens there, or set another "port" in ~/.claude-peers.json (or CLAUDE_PEERS_PORT); a broker of claude-peers v2 stops with its own "kill-broker".'
    : 'Set "bind" in ~/.claude-peers.json (or CLAUDE_PEERS_BIND) to an address that this machine has now.'
  return new ListenError(`${reason} ${next}`, { cause })
}
