import { createTRPCClient, createWSClient, wsLink } from '@trpc/client'
import { describe, expect, test } from 'vitest'
import { createPresence, GRACE_MS } from '../../apps/hub/presence.ts'
import { openInMemory } from '../../lib/db/open.ts'
import { readMachineId } from '../../lib/machine/machine-id.ts'
import { ownNamespace } from '../../lib/machine/processes.ts'
import { openHub, socketWith, takeSeat } from '../harness/hub.ts'
import { waitFor } from '../harness/wait.ts'
import type { AppRouter } from '../../lib/router/router.ts'

/** Presence alone, with a clock and processes that the test owns. */
function openPresence() {
  const time = { now: 1_000_000 }
  const processes = new Map<string, boolean>()
  const database = openInMemory({ folder: 'drizzle', now: () => time.now })
  const open = () =>
    createPresence({
      database,
      isRunning: (peer) => processes.get(peer.id),
      onError: (cause) => {
        throw cause
      },
    })
  return {
    time,
    processes,
    database,
    presence: open(),
    /** The presence of the next hub on the same database. */
    reopen: open,
    async seat(name: string) {
      const { peer } = await database.queue.run(() =>
        database.register(
          {
            machine: { id: 'machine-1', host: 'laptop' },
            kind: 'session',
            root: name,
            cwd: name,
            isRepo: false,
            summary: '',
          },
          { isHeld: () => true },
        ),
      )
      return peer.id
    },
    /** What the hub's tables say, once every write has been made. */
    async online(id: string) {
      await database.queue.run(() => undefined)
      return database.peers.get(id)!.online
    },
  }
}

describe('a peer', () => {
  test('that has registered counts as online until its link should have opened', async () => {
    const { presence, seat, online, time, database } = openPresence()
    const id = await seat('api')
    await database.queue.run(() => database.peers.setOnline(id, true))
    presence.arrived(id)
    time.now += GRACE_MS - 1
    await presence.tick()
    expect(await online(id)).toBe(true)
    time.now += 1
    await presence.tick()
    expect(await online(id)).toBe(false)
    presence.opened(id)
    presence.arrived(id)
    time.now += GRACE_MS
    await presence.tick()
    expect(await online(id)).toBe(true)
  })

  test('is online while its link is open', async () => {
    const { presence, seat, online, time } = openPresence()
    const id = await seat('api')
    expect(await online(id)).toBe(false)
    presence.opened(id)
    expect(await online(id)).toBe(true)
    time.now += 10 * GRACE_MS
    await presence.tick()
    expect(await online(id)).toBe(true)
  })

  test('stays online for 15 seconds after its link broke, and no longer', async () => {
    const { presence, seat, online, time } = openPresence()
    const id = await seat('api')
    presence.opened(id)
    presence.closed(id)
    time.now += 14_999
    await presence.tick()
    expect(await online(id)).toBe(true)
    time.now += 1
    await presence.tick()
    expect(await online(id)).toBe(false)
  })

  test('has no longer grace when the clock is set back', async () => {
    const { presence, seat, online, time } = openPresence()
    const id = await seat('api')
    presence.opened(id)
    presence.closed(id)
    time.now -= 100 * GRACE_MS
    await presence.tick()
    expect(await online(id)).toBe(true)
    time.now += GRACE_MS
    await presence.tick()
    expect(await online(id)).toBe(false)
  })

  test('that comes back within the grace was never away', async () => {
    const { presence, seat, online, time, database } = openPresence()
    const id = await seat('api')
    presence.opened(id)
    await online(id)
    const before = database.peers.get(id)!.onlineSeq
    presence.closed(id)
    time.now += 10_000
    presence.opened(id)
    time.now += 10_000
    await presence.tick()
    expect(await online(id)).toBe(true)
    expect(database.peers.get(id)!.onlineSeq).toBe(before)
  })

  test('whose new link opens before the old one is seen to break stays online', async () => {
    const { presence, seat, online, time } = openPresence()
    const id = await seat('api')
    presence.opened(id)
    presence.opened(id)
    presence.closed(id)
    time.now += 10 * GRACE_MS
    await presence.tick()
    expect(await online(id)).toBe(true)
    presence.closed(id)
    time.now += GRACE_MS
    await presence.tick()
    expect(await online(id)).toBe(false)
  })

  test('whose process is gone has no grace', async () => {
    const { presence, processes, seat, online } = openPresence()
    const id = await seat('api')
    presence.opened(id)
    processes.set(id, true)
    presence.closed(id)
    await presence.tick()
    expect(await online(id)).toBe(true)
    processes.set(id, false)
    await presence.tick()
    expect(await online(id)).toBe(false)
  })

  test('that said goodbye is offline, and stays so when its link is closed', async () => {
    const { presence, seat, online } = openPresence()
    const id = await seat('api')
    presence.opened(id)
    await presence.left(id)
    expect(await online(id)).toBe(false)
    presence.closed(id)
    expect(await online(id)).toBe(false)
  })

  test('that has no link goes offline with its goodbye', async () => {
    const { presence, seat, online } = openPresence()
    const id = await seat('api')
    presence.opened(id)
    presence.closed(id)
    await presence.left(id)
    expect(await online(id)).toBe(false)
  })

  test('stays online when the goodbye is that of a server that another has replaced', async () => {
    const { presence, seat, online, time } = openPresence()
    const id = await seat('api')
    presence.opened(id)
    presence.opened(id)
    await presence.left(id)
    presence.closed(id)
    expect(await online(id)).toBe(true)
    presence.closed(id)
    expect(await online(id)).toBe(true)
    time.now += GRACE_MS
    await presence.tick()
    expect(await online(id)).toBe(false)
  })

  test('that comes back after its goodbye has its grace again', async () => {
    const { presence, seat, online, time } = openPresence()
    const id = await seat('api')
    presence.opened(id)
    await presence.left(id)
    presence.closed(id)
    presence.opened(id)
    presence.closed(id)
    time.now += GRACE_MS - 1
    await presence.tick()
    expect(await online(id)).toBe(true)
  })
})

describe('after a restart of the hub', () => {
  test('those who were online have 15 seconds to come back', async () => {
    const { presence, reopen, seat, online, time } = openPresence()
    const [back, away] = [await seat('back'), await seat('away')]
    for (const id of [back, away]) presence.opened(id)
    await online(back)
    const next = reopen()
    expect(await online(away)).toBe(true)
    next.opened(back)
    time.now += GRACE_MS
    await next.tick()
    expect([await online(back), await online(away)]).toEqual([true, false])
  })

  test('those whose process ended meanwhile are offline at once', async () => {
    const { presence, reopen, processes, seat, online } = openPresence()
    const id = await seat('api')
    presence.opened(id)
    await online(id)
    processes.set(id, false)
    await reopen().tick()
    expect(await online(id)).toBe(false)
  })
})

describe('what a session says that it does', () => {
  const busy = { activity: 'busy', wakeable: false, headless: false } as const

  test('holds from its registration on, through a broken link, until it is offline', async () => {
    const { presence, seat, online, time } = openPresence()
    const id = await seat('api')
    presence.arrived(id)
    presence.setActivity(id, busy)
    presence.opened(id)
    presence.closed(id)
    expect(presence.activityOf(id)).toEqual(busy)
    time.now += GRACE_MS
    await presence.tick()
    expect(presence.activityOf(id)).toBeUndefined()
    presence.opened(id)
    await online(id)
    expect(presence.activityOf(id)).toBeUndefined()
  })

  test('ends with its goodbye', async () => {
    const { presence, seat } = openPresence()
    const [linked, alone] = [await seat('linked'), await seat('alone')]
    presence.opened(linked)
    presence.arrived(alone)
    for (const id of [linked, alone]) {
      presence.setActivity(id, busy)
      await presence.left(id)
    }
    presence.closed(linked)
    expect([linked, alone].map((id) => presence.activityOf(id))).toEqual([undefined, undefined])
  })

  test('is not kept of one that is not connected, and not for the next session of its seat', async () => {
    const { presence, seat } = openPresence()
    const id = await seat('api')
    presence.setActivity(id, busy)
    expect(presence.activityOf(id)).toBeUndefined()
    presence.opened(id)
    presence.setActivity(id, busy)
    presence.closed(id)
    presence.arrived(id)
    expect(presence.activityOf(id)).toBeUndefined()
  })

  test('is unknown to the next hub, and its feeds say so of those who are still online', async () => {
    const { presence, reopen, seat, online, database } = openPresence()
    const [api, away] = [await seat('api'), await seat('away')]
    presence.opened(api)
    await online(api)
    presence.setActivity(api, busy)
    const cursor = database.lastSeq()
    const next = reopen()
    expect(next.activityOf(api)).toBeUndefined()
    expect(next.activitiesSince(cursor).map(({ peerId }) => peerId)).toEqual([api])
    next.opened(api)
    next.setActivity(api, busy)
    expect(next.activityOf(api)).toEqual(busy)
    expect(next.activityOf(away)).toBeUndefined()
  })
})

describe('over real sockets', () => {
  const link = (hub: { url: string }, headers: Record<string, string>) => {
    const socket = createWSClient({
      url: `${hub.url.replace('http', 'ws')}/trpc`,
      WebSocket: socketWith(headers),
      retryDelayMs: () => 10,
    })
    const client = createTRPCClient<AppRouter>({ links: [wsLink({ client: socket })] })
    const feed = client.mailbox.watch.subscribe(undefined, { onData: () => undefined })
    return { socket, feed }
  }

  test('a session is online from its link on, through quick reconnects, and offline 15 s after the last', async () => {
    const time = { now: 1_700_000_000_000 }
    await using hub = await openHub({ now: () => time.now })
    const seat = await takeSeat(hub, 'api')
    const state = async () => (await seat.client.peers.list.query()).self!.state
    expect(await state()).toBe('offline')
    let { socket } = link(hub, seat.headers)
    await waitFor(async () => (await state()) === 'online', 'the peer to be online')
    for (let round = 0; round < 5; round++) {
      const next = link(hub, seat.headers)
      await socket.close()
      socket = next.socket
      expect(await state()).toBe('online')
    }
    time.now += 2 * GRACE_MS
    await waitFor(async () => (await seat.client.hub.stats.query()).sockets === 1, 'one socket')
    expect(await state()).toBe('online')
    await socket.close()
    await waitFor(async () => (await seat.client.hub.stats.query()).sockets === 0, 'no socket')
    expect(await state()).toBe('online')
    time.now += GRACE_MS
    await waitFor(async () => (await state()) === 'offline', 'the peer to be offline')
  })

  test('a session of this machine whose process has ended is offline within a second or two', async () => {
    await using hub = await openHub()
    const machine = { id: readMachineId(hub.config.paths.machineId), host: 'laptop' }
    // No process has this number: it is above the largest that Linux gives.
    const seat = await takeSeat(hub, 'api', {
      machine,
      process: { pid: 2 ** 22 + 1, namespace: ownNamespace() },
    })
    const { socket } = link(hub, seat.headers)
    const state = async () => (await seat.client.peers.list.query()).self!.state
    await waitFor(async () => (await state()) === 'online', 'the peer to be online')
    await socket.close()
    expect(await waitFor(async () => (await state()) === 'offline', 'the peer to be offline')).toBe(true)
  })

  test('a session that says goodbye is offline at once', async () => {
    await using hub = await openHub()
    const seat = await takeSeat(hub, 'api')
    const { socket, feed } = link(hub, seat.headers)
    const state = async () => (await seat.client.peers.list.query()).self!.state
    await waitFor(async () => (await state()) === 'online', 'the peer to be online')
    await seat.client.peers.leave.mutate()
    feed.unsubscribe()
    expect(await waitFor(async () => (await state()) === 'offline', 'the peer to be offline')).toBe(true)
    await socket.close()
  })

  test('a session that takes a seat is not seen doing what the session before did', async () => {
    await using hub = await openHub()
    const machine = { id: readMachineId(hub.config.paths.machineId), host: 'laptop' }
    const gone = await takeSeat(hub, 'api', {
      machine,
      process: { pid: 2 ** 22 + 1, namespace: ownNamespace() },
    })
    await gone.client.peers.setActivity.mutate({ activity: 'busy', wakeable: false, headless: false })
    const socket = createWSClient({
      url: `${hub.url.replace('http', 'ws')}/trpc`,
      WebSocket: socketWith(hub.headers),
    })
    const seen: (string | null)[] = []
    createTRPCClient<AppRouter>({ links: [wsLink({ client: socket })] }).peers.watch.subscribe(undefined, {
      onData: ({ data }) => seen.push(data.type === 'snapshot' ? data.type : data.peer.activity),
    })
    await waitFor(() => seen.length > 0, 'the snapshot')
    const successor = await takeSeat(hub, 'api', {
      machine,
      process: { pid: process.pid, namespace: ownNamespace() },
    })
    expect(successor.id).toBe(gone.id)
    await waitFor(() => seen.length > 1, 'the successor')
    expect(seen).toEqual(['snapshot', null])
    await socket.close()
  })
})
