import { afterEach, describe, expect, test, vi } from 'vitest'
import { draft, HOME_MACHINE, openRouter } from '../harness/router.ts'

const BUSY = { activity: 'busy', wakeable: false, headless: false } as const
const leaving: AbortController[] = []
afterEach(() => {
  for (const one of leaving.splice(0)) one.abort()
})

/** A signal that ends with the test. */
function patience(): AbortController {
  const controller = new AbortController()
  leaving.push(controller)
  return controller
}

type Event<Data> = { id: string; data: Data }

/** The contract's types show an event as a client gets it; in this process it is still `[id, data, mark]`. */
function iterate<Data>(feed: AsyncIterable<Event<Data>>): AsyncIterator<Event<Data>> {
  return feed[Symbol.asyncIterator]()
}

async function take<Data>(feed: AsyncIterator<Event<Data>>, count = 1): Promise<Event<Data>[]> {
  const taken: Event<Data>[] = []
  while (taken.length < count) {
    const next = await feed.next()
    if (next.done) throw new Error(`the feed ended after ${taken.length} of ${count} events`)
    const [id, data] = next.value as unknown as [string, Data]
    taken.push({ id, data })
  }
  return taken
}

async function takeOne<Data>(feed: AsyncIterator<Event<Data>>): Promise<Event<Data>> {
  return (await take(feed))[0]!
}

describe('peers.watch', () => {
  async function openWatched() {
    const router = openRouter()
    const watch = async (lastEventId?: string) =>
      iterate(
        await router
          .call({}, patience().signal)
          .peers.watch(lastEventId === undefined ? undefined : { lastEventId }),
      )
    return { ...router, watch }
  }

  test('starts with a snapshot of everybody', async () => {
    const { watch, seat } = await openWatched()
    await seat('api')
    await seat('web', { online: false })
    const [first] = await take(await watch(), 1)
    expect(first!.data).toMatchObject({
      type: 'snapshot',
      peers: [
        { name: 'api', state: 'online' },
        { name: 'web', state: 'offline' },
      ],
    })
  })

  test('tells joins, changes and leaves in their order', async () => {
    const { watch, seat, turn } = await openWatched()
    const feed = await watch()
    await take(feed, 1)
    const api = await seat('api', { online: false })
    expect(await take(feed, 1)).toMatchObject([
      { data: { type: 'changed', peer: { name: 'api', state: 'offline' } } },
    ])
    await turn(api.id, true)
    expect(await take(feed, 1)).toMatchObject([
      { data: { type: 'joined', peer: { name: 'api', state: 'online' } } },
    ])
    await api.caller.peers.setSummary({ summary: 'new' })
    expect(await take(feed, 1)).toMatchObject([{ data: { type: 'changed', peer: { summary: 'new' } } }])
    await turn(api.id, false)
    expect(await take(feed, 1)).toMatchObject([{ data: { type: 'left', peer: { state: 'offline' } } }])
  })

  test('tells what sessions do when it changes, without a write to the disk', async () => {
    const { watch, seat, database } = await openWatched()
    const api = await seat('api')
    const feed = await watch()
    await take(feed, 1)
    const written = () => database.sqlite.prepare('select total_changes()').pluck().get()
    const before = written()
    for (const activity of ['busy', 'idle'] as const) {
      // Said twice, it is told once: the next event is of the next change.
      await api.caller.peers.setActivity({ ...BUSY, activity })
      await api.caller.peers.setActivity({ ...BUSY, activity })
      expect(await take(feed, 1)).toMatchObject([
        { data: { type: 'changed', peer: { name: 'api', activity } } },
      ])
    }
    expect(written()).toBe(before)
  })

  test('resumes with what sessions did meanwhile, in its order among all changes, each once', async () => {
    const { watch, seat } = await openWatched()
    const seats = []
    for (let number = 0; number < 60; number++) seats.push(await seat(`peer-${number}`))
    const { id } = await takeOne(await watch())
    for (const [number, { caller }] of seats.entries()) {
      if (number % 3 === 0) await caller.peers.setSummary({ summary: 'described' })
      else await caller.peers.setActivity(BUSY)
    }
    const events = await take(await watch(id), seats.length)
    const told = events.map(({ data }) => data.type === 'changed' && data.peer.name)
    expect(told).toEqual(seats.map((one) => one.name))
    const last = await watch(events.at(-1)!.id)
    await seats[0]!.caller.peers.setActivity({ ...BUSY, activity: 'idle' })
    expect(await take(last, 1)).toMatchObject([{ data: { peer: { name: 'peer-0', activity: 'idle' } } }])
  })

  test('resumes after an event, without a snapshot, with what changed since', async () => {
    const { watch, seat, turn } = await openWatched()
    const api = await seat('api')
    const { id } = await takeOne(await watch())
    await api.caller.peers.setSummary({ summary: 'meanwhile' })
    const web = await seat('web')
    await turn(web.id, false)
    expect((await take(await watch(id), 2)).map(({ data }) => data)).toMatchObject([
      { type: 'changed', peer: { name: 'api', summary: 'meanwhile' } },
      { type: 'left', peer: { name: 'web' } },
    ])
  })

  test('tells everybody who joined meanwhile as joined, however many there are', async () => {
    const { watch, seat } = await openWatched()
    const { id } = await takeOne(await watch())
    const names = Array.from({ length: 230 }, (_, index) => `peer-${index}`)
    const seats = []
    for (const name of names) seats.push(await seat(name))
    // Joined first, described afterwards: still news of a join to who was away.
    for (const { caller } of seats) await caller.peers.setSummary({ summary: 'later' })
    const events = await take(await watch(id), names.length)
    expect(events.map(({ data }) => data.type)).toEqual(names.map(() => 'joined'))
    expect(new Set(events.map((event) => event.id)).size).toBe(names.length)
  })

  test('tells one who was away and came back between two looks as joined, as a new stay', async () => {
    const { watch, seat, turn } = await openWatched()
    const api = await seat('api')
    const feed = await watch()
    await take(feed, 1)
    await turn(api.id, false)
    await turn(api.id, true)
    await api.caller.peers.setSummary({ summary: 'back' })
    expect(await take(feed, 1)).toMatchObject([{ data: { type: 'joined', peer: { summary: 'back' } } }])
    await api.caller.peers.setSummary({ summary: 'still there' })
    expect(await take(feed, 1)).toMatchObject([{ data: { type: 'changed', peer: { state: 'online' } } }])
  })

  test('tells one who joined and said at once what it does as joined, once', async () => {
    const { watch, seat } = await openWatched()
    const { id } = await takeOne(await watch())
    const api = await seat('api')
    await api.caller.peers.setActivity(BUSY)
    const web = await seat('web')
    await web.caller.peers.setActivity(BUSY)
    await web.caller.peers.setSummary({ summary: 'described' })
    const told = (await take(await watch(id), 4)).map(
      ({ data }) => data.type !== 'snapshot' && [data.type, data.peer.name],
    )
    expect(told).toEqual([
      ['joined', 'api'],
      ['changed', 'api'],
      ['joined', 'web'],
      ['changed', 'web'],
    ])
  })

  test('reads a change once for all who look at it', async () => {
    const { watch, seat, database } = await openWatched()
    const api = await seat('api')
    const feeds = await Promise.all(Array.from({ length: 100 }, () => watch()))
    await Promise.all(feeds.map((feed) => take(feed, 1)))
    const changed = vi.spyOn(database.peers, 'changedSince')
    for (const summary of ['one', 'two']) {
      const told = feeds.map((feed) => takeOne(feed))
      await api.caller.peers.setSummary({ summary })
      const events = await Promise.all(told)
      for (const { data } of events) expect(data).toMatchObject({ type: 'changed', peer: { summary } })
    }
    expect(changed).toHaveBeenCalledTimes(2)
  })

  test.each(['', 'nonsense', '-1', '99999999999999999', '9007199254740991'])(
    'starts anew for a cursor that no hub has given: %j',
    async (lastEventId) => {
      const { watch, seat } = await openWatched()
      await seat('api')
      expect((await take(await watch(lastEventId), 1))[0]!.data).toMatchObject({ type: 'snapshot' })
    },
  )

  test('starts anew for a cursor of another history, such as before a backup was restored', async () => {
    const before = await openWatched()
    const { id } = await takeOne(await before.watch())
    const { watch, seat } = await openWatched()
    await seat('api')
    expect((await take(await watch(id), 1))[0]!.data).toMatchObject({
      type: 'snapshot',
      peers: [{ name: 'api' }],
    })
  })

  test('ends for a client that leaves, and keeps nothing of it', async () => {
    const { call, seat } = openRouter()
    await seat('api')
    const left = patience()
    const feed = iterate(await call({}, left.signal).peers.watch())
    await take(feed, 1)
    const next = feed.next()
    left.abort()
    expect(await next).toMatchObject({ done: true })
  })
})

describe('mailbox.watch', () => {
  async function openPair() {
    const router = openRouter()
    const [web, api] = [await router.seat('web'), await router.seat('api')]
    const watch = async (seat: { key: string }, lastEventId?: string) =>
      iterate(
        await router
          .call({ key: seat.key }, patience().signal)
          .mailbox.watch(lastEventId === undefined ? undefined : { lastEventId }),
      )
    return { ...router, web, api, watch }
  }

  test('starts with how much mail waits, and rings with every new message', async () => {
    const { web, api, watch } = await openPair()
    const feed = await watch(api)
    expect(await take(feed, 1)).toMatchObject([{ data: { type: 'waiting', waiting: 0 } }])
    for (const waiting of [1, 2]) {
      await web.caller.messages.send(draft('api'))
      expect(await take(feed, 1)).toMatchObject([{ data: { type: 'waiting', waiting } }])
    }
    const { offerId } = await api.caller.mailbox.consume({ budget: 1_000 })
    expect(await take(feed, 2)).toMatchObject([
      { data: { type: 'waiting', waiting: 0 } },
      { data: { type: 'unread' } },
    ])
    await api.caller.mailbox.release({ offerId: offerId! })
    expect(await take(feed, 1)).toMatchObject([{ data: { type: 'waiting', waiting: 2 } }])
  })

  test('ends at once when another session takes the seat, and tells it nothing more', async () => {
    const { web, api, watch, turn, seat } = await openPair()
    const feed = await watch(api)
    await take(feed, 1)
    const next = feed.next()
    await turn(api.id, false)
    const successor = await seat('api', { online: false })
    expect(successor.id).toBe(api.id)
    await expect(next).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
    await web.caller.messages.send(draft('api'))
    expect(await feed.next()).toMatchObject({ done: true })
    expect(await take(await watch(successor), 1)).toMatchObject([{ data: { waiting: 1 } }])
  })

  test('goes on for a session that registers again with its key', async () => {
    const { web, watch, seat, call } = await openPair()
    const session = {
      machine: HOME_MACHINE,
      directory: '/src/db',
      root: '/src/db',
      isRepo: true,
      summary: '',
      process: { pid: 7, start: 'x' },
    }
    const { key } = await seat('db', session)
    const feed = await watch({ key })
    await take(feed, 1)
    expect((await call({ key }).peers.register(session)).key).toBe(key)
    await web.caller.messages.send(draft('db'))
    expect(await take(feed, 1)).toMatchObject([{ data: { type: 'waiting', waiting: 1 } }])
  })

  test('tells how much of it is worth waking for: what is not fyi, and can be taken now', async () => {
    const { web, api, watch } = await openPair()
    const feed = await watch(api)
    const next = async () => {
      for (;;) {
        const { data } = await takeOne(feed)
        if (data.type === 'waiting') return data
      }
    }
    await next()
    await web.caller.messages.send({ ...draft('api'), urgency: 'fyi' })
    expect(await next()).toMatchObject({ waiting: 1, urgent: 0 })
    await web.caller.messages.send(draft('api'))
    expect(await next()).toMatchObject({ waiting: 2, urgent: 1 })
    const { offerId } = await api.caller.mailbox.consume({ budget: 1_000 })
    await next()
    await web.caller.messages.send(draft('api'))
    expect(await next()).toMatchObject({ waiting: 1, urgent: 0 })
    await api.caller.mailbox.ack({ offerId: offerId! })
    expect(await next()).toMatchObject({ waiting: 1, urgent: 1 })
  })

  test('tells what is not known to be read, at the start and whenever that changes', async () => {
    const { web, api, watch, time } = await openPair()
    const feed = await watch(api)
    await take(feed, 1)
    const { messageId: id } = await web.caller.messages.send(draft('api'))
    const { offerId } = await api.caller.mailbox.consume({ budget: 1_000 })
    time.now += 1_000
    const unread = async () => {
      for (;;) {
        const { data } = await takeOne(feed)
        if (data.type === 'unread') return data.mail
      }
    }
    const mail = { id, state: 'offered', offeredAgo: 1_000 }
    expect(await unread()).toEqual([mail])
    await api.caller.mailbox.ack({ offerId: offerId! })
    expect(await unread()).toEqual([{ ...mail, state: 'delivered' }])
    const delivered = [{ ...mail, state: 'delivered' }]
    expect((await take(await watch(api), 2))[1]!.data).toEqual({ type: 'unread', mail: delivered })
    expect(await api.caller.mailbox.unread()).toEqual({ mail: delivered })
    await api.caller.mailbox.confirm({ ids: [id] })
    expect(await unread()).toEqual([])
  })

  test('rings for a message that takes the place of one just taken', async () => {
    const { web, api, watch } = await openPair()
    await web.caller.messages.send(draft('api', 'one'))
    const feed = await watch(api)
    await take(feed, 1)
    // Both before the feed looks: the number stays as it was.
    await Promise.all([
      api.caller.mailbox.consume({ budget: 1_000 }),
      web.caller.messages.send(draft('api', 'two')),
    ])
    expect(await take(feed, 1)).toMatchObject([{ data: { type: 'waiting', waiting: 1 } }])
  })

  test('tells the sender of each step that its message makes', async () => {
    const { web, api, watch } = await openPair()
    const feed = await watch(web)
    await take(feed, 1)
    const { messageId } = await web.caller.messages.send(draft('api'))
    const { offerId } = await api.caller.mailbox.consume({ budget: 1_000 })
    await api.caller.mailbox.ack({ offerId: offerId! })
    const states: string[] = []
    while (states.at(-1) !== 'delivered') {
      const { data } = await takeOne(feed)
      if (data.type !== 'receipt') continue
      expect(data.receipt.messageId).toBe(messageId)
      states.push(data.receipt.state)
    }
    expect(states.at(-1)).toBe('delivered')
  })

  test('resumes with the receipts that changed meanwhile, each once', async () => {
    const { web, api, watch } = await openPair()
    const { id } = await takeOne(await watch(web))
    const sent = []
    for (let count = 0; count < 3; count++)
      sent.push((await web.caller.messages.send(draft('api'))).messageId)
    const { offerId } = await api.caller.mailbox.consume({ budget: 1_000 })
    await api.caller.mailbox.ack({ offerId: offerId! })
    const events = await take(await watch(web, id), 3)
    expect(events.map(({ data }) => data)).toMatchObject(
      sent.map((messageId) => ({ type: 'receipt', receipt: { messageId, state: 'delivered' } })),
    )
    const rest = await take(await watch(web, events.at(-1)!.id), 1)
    expect(rest).toMatchObject([{ data: { type: 'waiting' } }])
  })

  test('tells whoever comes from another history all that this one brought since it was opened', async () => {
    const before = await openPair()
    const { id } = await takeOne(await before.watch(before.web))
    const { web, api, watch } = await openPair()
    const { messageId } = await web.caller.messages.send(draft('api'))
    expect((await take(await watch(web, id), 2)).map(({ data }) => data)).toMatchObject([
      { type: 'receipt', receipt: { messageId, state: 'queued' } },
      { type: 'waiting', waiting: 0 },
    ])
    expect((await takeOne(await watch(api, id))).data).toEqual({ type: 'waiting', waiting: 1, urgent: 1 })
  })

  test('tells nobody about the mail of others', async () => {
    const { web, api, seat, watch } = await openPair()
    const spy = await seat('spy')
    const feed = await watch(spy)
    await take(feed, 1)
    await web.caller.messages.send(draft('api', 'secret'))
    const { offerId } = await api.caller.mailbox.consume({ budget: 1_000 })
    await api.caller.mailbox.ack({ offerId: offerId! })
    await web.caller.messages.send(draft('spy', 'for you'))
    expect(await take(feed, 1)).toMatchObject([{ data: { type: 'waiting', waiting: 1 } }])
  })

  test('is the link of the session: it opens and closes its presence, once each', async () => {
    const { api, hub, call } = await openPair()
    const told: string[] = []
    hub.presence.opened = (id) => void told.push(`opened ${id}`)
    hub.presence.closed = (id) => void told.push(`closed ${id}`)
    const left = patience()
    const feed = iterate(await call({ key: api.key }, left.signal).mailbox.watch())
    await take(feed, 1)
    expect(told).toEqual([`opened ${api.id}`])
    const next = feed.next()
    left.abort()
    await next
    expect(told).toEqual([`opened ${api.id}`, `closed ${api.id}`])
  })
})

describe('messages.watch', () => {
  test('starts with nothing, and tells every message and each of its states', async () => {
    const { call, seat } = openRouter()
    const [web, api] = [await seat('web'), await seat('api')]
    await web.caller.messages.send(draft('api', 'before'))
    const feed = iterate(await call({}, patience().signal).messages.watch())
    const first = take(feed, 1)
    const { messageId } = await web.caller.messages.send(draft('api', 'now'))
    expect(await first).toMatchObject([
      { data: { type: 'message', entry: { messageId, text: 'now', state: 'queued' } } },
    ])
    await web.caller.messages.retract({ messageId })
    expect(await take(feed, 1)).toMatchObject([{ data: { entry: { messageId, state: 'retracted' } } }])
    expect(api.name).toBe('api')
  })

  test('tells who reads slowly the newest states only', async () => {
    const { call, seat } = openRouter()
    const [web, api] = [await seat('web'), await seat('api')]
    const feed = iterate(await call({}, patience().signal).messages.watch())
    const first = take(feed, 1)
    await web.caller.messages.send(draft('api', 'first'))
    await first
    const { messageId } = await web.caller.messages.send(draft('api', 'second'))
    const { offerId } = await api.caller.mailbox.consume({ budget: 1_000 })
    await api.caller.mailbox.ack({ offerId: offerId! })
    const events = await take(feed, 2)
    expect(events.map(({ data }) => [data.entry.messageId, data.entry.state])).toContainEqual([
      messageId,
      'delivered',
    ])
  })

  test('ends without a word for a client that leaves, and reads nothing for it any more', async () => {
    const { call, seat, database } = openRouter()
    const [web] = [await seat('web'), await seat('api')]
    const left = patience()
    const feed = iterate(await call({}, left.signal).messages.watch())
    const first = feed.next()
    for (let count = 0; count < 50; count++) await web.caller.messages.send(draft('api'))
    await first
    left.abort()
    // The hub is closing.
    database.sqlite.close()
    expect(await drainFeed(feed)).toBeLessThan(25)
  })
})

/** How many events a feed gives until its end. */
async function drainFeed(feed: AsyncIterator<unknown>): Promise<number> {
  for (let count = 0; ; count++) if ((await feed.next()).done) return count
}
