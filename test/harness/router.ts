import type { inferRouterInputs } from '@trpc/server'
import { createActivities } from '../../apps/hub/activities.ts'
import { openInMemory } from '../../lib/db/open.ts'
import type { Caller as TokenHolder, Context, Hub } from '../../lib/router/context.ts'
import { appRouter, type AppRouter } from '../../lib/router/router.ts'
import { createCallerFactory } from '../../lib/router/trpc.ts'

type Registration = inferRouterInputs<AppRouter>['peers']['register']
export type Caller = ReturnType<ReturnType<typeof createCallerFactory<AppRouter['_def']['record']>>>
export type RouterSeat = { id: string; name: string; key: string; origin: string; caller: Caller }

const createCaller = createCallerFactory(appRouter)
/** The machine that the hub runs on. */
export const HOME_MACHINE = { id: 'machine-home', host: 'laptop' }

export const LOCAL: TokenHolder = { kind: 'local' }
export const FLEET: TokenHolder = { kind: 'fleet' }
/** Where the hub says that it is reached. */
export const URLS = ['http://studio:7899']

/** The router on a database in memory; the test owns the time, the processes and who is connected. */
export function openRouter() {
  const time = { now: Date.UTC(2026, 10, 1) }
  const running = new Map<string, boolean>()
  const stops: string[] = []
  const disconnected: string[] = []
  const database = openInMemory({ folder: 'drizzle', now: () => time.now })
  const activities = createActivities(database)
  const turn = (peerId: string, online: boolean) => {
    if (!online) activities.forget(peerId)
    return database.queue.run(() => database.peers.setOnline(peerId, online))
  }
  const hub: Hub = {
    version: '9.8.7',
    machineId: HOME_MACHINE.id,
    home: '/home/hub',
    host: HOME_MACHINE.host,
    stats: () => ({ pid: 4711, startedAt: 1, sockets: 2, reach: { urls: URLS, trouble: null } }),
    urls: () => URLS,
    disconnect: (tokenId) => disconnected.push(tokenId),
    socketsOf: () => 3,
    stop: (reason) => stops.push(reason),
    foreground: false,
    isRunning: (peer) => running.get(peer.id),
    notifies: () => true,
    presence: {
      arrived: () => undefined,
      opened: (peerId) => void turn(peerId, true),
      closed: () => undefined,
      left: (peerId) => turn(peerId, false),
      setActivity: activities.set,
      activityOf: activities.of,
      activitiesSince: activities.changedSince,
    },
  }
  const call = (context: Partial<Context> = {}, signal?: AbortSignal): Caller =>
    createCaller({ database, hub, key: undefined, caller: LOCAL, ...context }, { signal })
  return {
    time,
    running,
    stops,
    /** The tokens whose sockets were closed. */
    disconnected,
    database,
    hub,
    call,
    turn,
    /** Takes a seat for a session in `/src/<name>`; it is online unless the test says otherwise. */
    async seat(
      name: string,
      { online = true, ...extra }: Partial<Registration> & { online?: boolean } = {},
    ): Promise<RouterSeat> {
      const { peer, key, origin } = await call().peers.register({
        machine: HOME_MACHINE,
        directory: `/src/${name}`,
        root: `/src/${name}`,
        isRepo: true,
        summary: `working on ${name}`,
        ...extra,
      })
      if (online) await turn(peer.id, true)
      return { id: peer.id, name: peer.name, key, origin, caller: call({ key }) }
    },
  }
}

/** The same with two sessions. */
export async function openPair() {
  const router = openRouter()
  return { ...router, web: await router.seat('web'), api: await router.seat('api') }
}

let keys = 0
/** What `messages.send` needs; without words of its own it says what was not said before. */
export const draft = (to: string | string[], message = `hello ${++keys}`) => ({
  to,
  message,
  idempotencyKey: `test-key-${++keys}`,
})
