import { describe, expect, test } from 'vitest'
import { HOME_MACHINE, openRouter, type Caller } from '../harness/router.ts'

const busy = { activity: 'busy', wakeable: false, headless: false } as const
const desktop = { id: 'machine-desktop', host: 'desktop' }

describe('peers.register', () => {
  test('gives a new session a seat named after its repository, and a key', async () => {
    const { call } = openRouter()
    const registered = await call().peers.register({
      machine: HOME_MACHINE,
      directory: '/home/you/My Project/src',
      root: '/home/you/My Project',
      isRepo: true,
      branch: 'main',
      summary: 'working',
    })
    expect(registered).toMatchObject({
      origin: 'new',
      peer: {
        name: 'my-project',
        host: 'laptop',
        address: 'my-project@laptop',
        kind: 'session',
        directory: '/home/you/My Project/src',
        repo: '/home/you/My Project',
        branch: 'main',
        summary: 'working',
        state: 'offline',
        waiting: 0,
      },
    })
    expect(registered.key).toMatch(/^p_[0-9a-z]{13}\.[\w-]{43}$/)
    expect(registered.key.startsWith(`${registered.peer.id}.`)).toBe(true)
  })

  test('never gives the seat of a live session to another', async () => {
    const { seat } = openRouter()
    await seat('api')
    expect(await seat('api')).toMatchObject({ name: 'api-2', origin: 'new' })
  })

  test('counts a session of the hub’s machine as alive while its process runs, connected or not', async () => {
    const { seat, running } = openRouter()
    const first = await seat('api', { online: false })
    running.set(first.id, true)
    expect(await seat('api')).toMatchObject({ name: 'api-2', origin: 'new' })
  })

  test('gives the seat of a session that is gone to its successor in the same repository', async () => {
    const { seat, running } = openRouter()
    const first = await seat('api')
    running.set(first.id, false)
    expect(await seat('api')).toMatchObject({ id: first.id, name: 'api', origin: 'succeeded' })
  })

  test('keeps the key of a caller that proves its seat, and makes a new one otherwise', async () => {
    const { seat, call } = openRouter()
    const process = { pid: 100, start: 'boot-1' }
    const first = await seat('api', { process })
    const registration = {
      machine: HOME_MACHINE,
      directory: '/src/api',
      root: '/src/api',
      isRepo: true,
      summary: '',
      process,
    }
    expect(await call({ key: first.key }).peers.register(registration)).toMatchObject({
      origin: 'same-process',
      key: first.key,
    })
    const renewed = await call({ key: `${first.id}.wrong` }).peers.register(registration)
    expect(renewed).toMatchObject({ origin: 'same-process', peer: { id: first.id } })
    expect(renewed.key).not.toBe(first.key)
    await expect(first.caller.mailbox.peek()).rejects.toThrow('not valid (any more)')
    expect(await call({ key: renewed.key }).mailbox.peek()).toMatchObject({ messages: [] })
  })

  test.each([
    ['a machine without an id', { machine: { id: '', host: 'laptop' } }],
    ['a machine id with a path in it', { machine: { id: '../../etc/passwd', host: 'laptop' } }],
    ['no directory', { directory: '' }],
    ['a summary of a thousand characters', { summary: 'x'.repeat(1_000) }],
    ['a pid that is none', { process: { pid: -1 } }],
    ['a kind that is none', { kind: 'admin' }],
  ])('refuses %s', async (_, wrong) => {
    const { call } = openRouter()
    const registration = {
      machine: HOME_MACHINE,
      directory: '/a',
      root: '/a',
      isRepo: false,
      summary: '',
      ...wrong,
    }
    await expect(call().peers.register(registration as never)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  })

  test('does not take a key, a name or presence from the body', async () => {
    const { call } = openRouter()
    const registration = {
      machine: HOME_MACHINE,
      directory: '/a/api',
      root: '/a/api',
      isRepo: false,
      summary: '',
      name: 'boss',
      id: 'p_1',
      key: 'p_1.secret',
      online: true,
      keyHash: 'x',
    }
    const { peer } = await call().peers.register(registration)
    expect(peer).toMatchObject({ name: 'api', state: 'offline' })
    expect(peer.id).not.toBe('p_1')
  })
})

describe('peers.list', () => {
  async function openCrowd() {
    const router = openRouter()
    const self = await router.seat('api', { directory: '/src/api/src' })
    await router.seat('api-docs', { directory: '/src/api/docs', root: '/src/api' })
    await router.seat('twin', { directory: '/src/api/src', root: '/elsewhere' })
    await router.seat('web')
    await router.seat('far', { machine: desktop, directory: '/src/api/src', root: '/src/api' })
    const names = async (scope?: 'network' | 'machine' | 'directory' | 'repo', caller = self.caller) =>
      (await caller.peers.list(scope && { scope })).peers.map((peer) => `${peer.name}@${peer.host}`)
    return { ...router, self, names }
  }

  test('shows the whole network by default, and who is asking', async () => {
    const { names, self } = await openCrowd()
    const all = ['api@desktop', 'api@laptop', 'api-2@laptop', 'elsewhere@laptop', 'web@laptop']
    expect((await names()).toSorted()).toEqual(all.toSorted())
    expect(await names('network')).toEqual(await names())
    expect((await self.caller.peers.list()).self).toMatchObject({ id: self.id })
  })

  test('shows the machine, the directory or the repository of who is asking', async () => {
    const { names } = await openCrowd()
    expect(await names('machine')).toEqual(['api@laptop', 'api-2@laptop', 'elsewhere@laptop', 'web@laptop'])
    expect(await names('directory')).toEqual(['api@laptop', 'elsewhere@laptop'])
    expect(await names('repo')).toEqual(['api@laptop', 'api-2@laptop'])
  })

  test('shows the network to a caller that is nobody, and tells it how to see less', async () => {
    const { names, call } = await openCrowd()
    expect(await names('network', call())).toHaveLength(5)
    expect((await call().peers.list()).self).toBeNull()
    await expect(call().peers.list({ scope: 'machine' })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      message:
        'The scope "machine" is seen from a peer: send its mailbox key, or ask for the scope "network".',
    })
  })

  test('leaves out who has been gone for 48 hours, unless mail waits for them', async () => {
    const { seat, time, turn, database } = openRouter()
    const web = await seat('web')
    const [gone, waited] = [await seat('gone'), await seat('waited-for')]
    await web.caller.messages.send({ to: 'waited-for', message: 'x', idempotencyKey: 'a-test-key' })
    for (const { id } of [gone, waited]) await turn(id, false)
    time.now += 49 * 3_600_000
    const { peers } = await web.caller.peers.list()
    expect(peers.map((peer) => peer.name)).toEqual(['waited-for', 'web'])
    expect(database.peers.get(gone.id)).toBeDefined()
  })

  test('holds nothing that is not in the contract', async () => {
    const { self } = await openCrowd()
    const { peers } = await self.caller.peers.list()
    const known =
      'activity address branch directory headless host id kind name repo seenAt state summary waiting wakeable'
    for (const peer of peers) expect(Object.keys(peer).toSorted()).toEqual(known.split(' '))
  })
})

describe('what a peer says of itself', () => {
  test('a summary is trimmed, stored, and limited to 500 characters', async () => {
    const { seat } = openRouter()
    const api = await seat('api')
    expect(await api.caller.peers.setSummary({ summary: '  new words ' })).toMatchObject({
      summary: 'new words',
    })
    await expect(api.caller.peers.setSummary({ summary: 'x'.repeat(501) })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
    })
  })

  test('a session may get another id, and is found by it again', async () => {
    const { seat, running } = openRouter()
    const api = await seat('api', { sessionId: 'before', process: { pid: 1, start: 'a' } })
    await api.caller.peers.bindSession({ sessionId: 'after-clear' })
    running.set(api.id, false)
    const next = await seat('api', { sessionId: 'after-clear', process: { pid: 2, start: 'b' } })
    expect(next).toMatchObject({ id: api.id, origin: 'resumed' })
  })

  test('what it does is shown with it until it is gone, and unknown when it comes back', async () => {
    const { seat, turn, call } = openRouter()
    const api = await seat('api')
    const shown = async () => (await call().peers.list()).peers[0]
    expect(await shown()).toMatchObject({ state: 'online', activity: null, wakeable: false, headless: false })
    const said = { activity: 'idle', wakeable: true, headless: false } as const
    expect(await api.caller.peers.setActivity(said)).toMatchObject({ id: api.id, ...said })
    expect(await shown()).toMatchObject({ state: 'online', ...said })
    await turn(api.id, false)
    expect(await shown()).toMatchObject({ state: 'offline', activity: null, wakeable: false })
    await turn(api.id, true)
    expect(await shown()).toMatchObject({ state: 'online', activity: null })
  })

  test.each([
    ['an activity that is none', { ...busy, activity: 'asleep' }],
    ['half of it', { activity: 'busy' }],
  ])('%s is refused', async (_, said) => {
    const api = await openRouter().seat('api')
    await expect(api.caller.peers.setActivity(said as never)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  })

  test('a goodbye makes it offline, with its name and its mail kept', async () => {
    const { seat, call } = openRouter()
    const [api, web] = [await seat('api'), await seat('web')]
    await web.caller.messages.send({ to: 'api', message: 'x', idempotencyKey: 'a-test-key' })
    expect(await api.caller.peers.leave()).toMatchObject({ name: 'api', state: 'offline', waiting: 1 })
    expect((await call().peers.list()).peers).toContainEqual(
      expect.objectContaining({ name: 'api', state: 'offline' }),
    )
  })

  const calls: [string, (caller: Caller) => Promise<unknown>][] = [
    ['setSummary', (caller) => caller.peers.setSummary({ summary: 'x' })],
    ['bindSession', (caller) => caller.peers.bindSession({ sessionId: 'x' })],
    ['setActivity', (caller) => caller.peers.setActivity(busy)],
    ['leave', (caller) => caller.peers.leave()],
  ]
  test.each(calls)('%s needs the key of a mailbox', async (_, call) => {
    await expect(call(openRouter().call())).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: 'This call speaks for a peer and needs its mailbox key: register with peers.register.',
    })
  })
})

describe('a crowd of seats', () => {
  const CROWD = 450

  async function openCrowd() {
    const router = openRouter()
    const self = await router.seat('api', { directory: '/src/api' })
    for (let number = 0; number < CROWD; number++) {
      await router.seat(`seat-${number}`, { online: number % 3 === 0, summary: 'x'.repeat(400) })
    }
    return { ...router, self }
  }

  test('is listed in bounded pages, each seat once, whatever changes in between', async () => {
    const { self, turn, seat } = await openCrowd()
    const met: string[] = []
    let cursor: string | undefined
    do {
      const page = await self.caller.peers.list({ cursor, limit: 40 })
      expect(JSON.stringify(page).length).toBeLessThan(64 * 1_024)
      met.push(...page.peers.map((peer) => peer.name))
      cursor = page.nextCursor ?? undefined
      await turn(page.peers[0]!.id, met.length % 80 === 0)
      await seat(`0-before-all-${met.length}`)
    } while (cursor !== undefined)
    expect(new Set(met).size).toBe(met.length)
    for (let number = 0; number < CROWD; number++) expect(met).toContain(`seat-${number}`)
    await expect(self.caller.peers.list({ cursor: 'nonsense' })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
    })
  })

  test('is read once for all who list it, until a seat changes', async () => {
    const { self, database, turn, call } = await openCrowd()
    await self.caller.peers.list()
    const rows = database.peers.list(0)
    await Promise.all(Array.from({ length: 16 }, () => call().peers.list()))
    expect(database.peers.list(0)).toBe(rows)
    await turn(rows[0]!.id, !rows[0]!.online)
    expect(database.peers.list(0)).not.toBe(rows)
  })

  test('is listed for one caller in each turn of the event loop', async () => {
    const { call } = await openCrowd()
    let turns = 0
    let isOver = false
    const count = () => {
      turns++
      if (!isOver) setImmediate(count)
    }
    setImmediate(count)
    await Promise.all(Array.from({ length: 16 }, () => call().peers.list()))
    isOver = true
    expect(turns).toBeGreaterThanOrEqual(15)
  })

  test('costs a caller of another machine by what it is answered', async () => {
    const { call } = await openCrowd()
    let charged = 0
    const charge = (calls: number) => void (charged += calls)
    await call({ charge }).peers.list({ limit: 20 })
    expect(charged).toBe(0)
    await call({ charge }).peers.list({ limit: 100 })
    expect(charged).toBe(3)
  })

  test('is told with the nearest first: of the repository, of the machine, the latest', async () => {
    const { self, seat } = await openCrowd()
    await seat('mate', { directory: '/src/api/docs', root: '/src/api' })
    await seat('mate-who-left', { directory: '/src/api/x', root: '/src/api', online: false })
    await seat('stranger', { machine: desktop })
    const { peers, total } = await self.caller.peers.nearest({ limit: 30 })
    expect([peers[0]!.name, peers.slice(0, 3).some((peer) => peer.state === 'offline')]).toEqual([
      'api-2',
      true,
    ])
    expect(peers.map((peer) => peer.name)).not.toContain('stranger')
    expect(total).toEqual({ online: CROWD / 3 + 2, gone: (2 * CROWD) / 3 + 1 })
    const found = await self.caller.peers.nearest({ search: 'STRANGER' })
    expect([found.peers.length, found.total]).toEqual([1, { online: 1, gone: 0 }])
  })

  test('is told to who watches in parts, and after the last as it changes', async () => {
    const { call, turn, self } = await openCrowd()
    const end = new AbortController()
    const seen: string[] = []
    let parts = 0
    for await (const [, data] of (await call({}, end.signal).peers.watch()) as AsyncIterable<
      [string, { type: string; peers?: { name: string }[]; more?: boolean; peer?: { name: string } }]
    >) {
      if (data.type !== 'snapshot') {
        seen.push(`${data.type} ${data.peer!.name}`)
        break
      }
      parts++
      seen.push(...data.peers!.map((peer) => peer.name))
      if (parts === 2) await turn(self.id, false)
    }
    end.abort()
    expect([parts > 4, seen.pop()]).toEqual([true, 'left api'])
    expect([seen.length, new Set(seen).size]).toEqual([CROWD + 1, CROWD + 1])
  })
})
