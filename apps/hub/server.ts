import { createServer } from 'node:http'
import { toUrlHost } from '#machine/address'
import { ANY } from '#machine/settings'
import type { Stats } from '#router/shapes/hub'
import { createHostNames, type Reverse } from './host-names.ts'
import { openListeners, type ListenerOptions } from './listeners.ts'
import { createRoutes, type RouteOptions, type Served } from './routes.ts'
import type { Sockets } from './sockets.ts'

export { ListenError } from './listeners.ts'

/** Behind the guard, the hub answers 503 until it is given what it serves: it listens before it migrates. */
export type HubServer = {
  /** Where this machine reaches it. */
  url: string
  /** Where other machines reach it, and what is in the way. */
  reach(): Stats['reach']
  serve(served: Served): void
  sockets: Pick<Sockets, 'count' | 'countOf' | 'disconnect'>
  /** Stops accepting, lets calls under way finish, and asks the WebSockets to come back later. */
  close(): Promise<void>
}

export type ListenOptions = Omit<RouteOptions, 'isKnownHost'> &
  Pick<ListenerOptions, 'bind' | 'port' | 'retryMs' | 'resolve'> & {
    /** Names besides the address by which clients call this hub. */
    hosts: string[]
    reverse?: Reverse
    limits?: Partial<typeof LIMITS>
  }

/** How long calls under way may take at shutdown. */
const CLOSE_WAIT_MS = 1_000
/** How often reverse DNS is asked again when it told nothing; addresses of this machine may have changed by then. */
const LEARN_MS = 60_000
const LIMITS = {
  /** A client that takes longer over its headers, or its whole request, is cut off; that is looked for every 5 s. */
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 16_384,
}

/** Listens on the one port. Rejects with ListenError. */
export async function listen(options: ListenOptions): Promise<HubServer> {
  const { bind, log } = options
  const names = createHostNames([...(bind === ANY ? [] : [bind]), ...options.hosts], options.reverse)
  const routes = createRoutes({ ...options, isKnownHost: names.isKnown })
  const learn = () => listeners.addresses().map((address) => names.learn(address))
  const listeners = await openListeners({
    ...options,
    log,
    makeServer() {
      const server = createServer({ ...LIMITS, ...options.limits }, routes.call)
      return server.on('upgrade', routes.upgrade).on('connection', routes.connect)
    },
    onReach: () => setImmediate(learn),
  }).catch(async (cause: unknown) => {
    await routes.close()
    throw cause
  })
  await Promise.all(learn())
  const learner = setInterval(learn, LEARN_MS).unref()
  const toUrl = (host: string) => `http://${toUrlHost(host)}:${listeners.port}`
  return {
    url: listeners.url,
    reach: () => ({
      urls: [...listeners.addresses(), ...names.learned].map(toUrl),
      trouble: listeners.trouble() ?? null,
    }),
    sockets: routes.sockets,
    serve: routes.serve,
    async close() {
      clearInterval(learner)
      const closed = listeners.close(CLOSE_WAIT_MS)
      await routes.close()
      await closed
    },
  }
}
