import { describe, expect, test } from 'vitest'
import type { Caller as TokenHolder } from '../../lib/router/context.ts'
import { draft, FLEET, HOME_MACHINE, LOCAL, openRouter, URLS } from '../harness/router.ts'
import { refusals } from '../harness/wait.ts'

const DESKTOP = { id: 'machine-desktop', host: 'Desktop.local' }
const SERVER = { id: 'machine-server', host: 'server' }
const DAY = 24 * 60 * 60 * 1_000

/** A hub, and what other machines do at it. */
function openNetwork() {
  const router = openRouter()
  /** Invites a machine; `holder` is who calls with its token. */
  async function invite(label = 'desktop') {
    const invitation = await router.call().machines.invite({ label })
    const holder: TokenHolder = { kind: 'machine', tokenId: invitation.id, machineId: null }
    return { ...invitation, holder }
  }
  /** A machine that has joined with a token of its own. */
  async function join(label = 'desktop', machine = DESKTOP) {
    const invitation = await invite(label)
    await router.call({ caller: invitation.holder }).machines.join({ machine })
    return invitation
  }
  /** What a session in `/src/<name>` of a machine says. */
  const session = (name: string, machine: { id: string; host: string }) => ({
    machine,
    directory: `/src/${name}`,
    root: `/src/${name}`,
    isRepo: true,
    summary: '',
  })
  const listed = async (label: string) =>
    (await router.call().machines.list()).machines.find((machine) => machine.label === label)
  return { ...router, invite, join, session, listed }
}

const forbidden = { code: 'FORBIDDEN' }
const unauthorized = { code: 'UNAUTHORIZED' }

describe('an invitation', () => {
  test('tells a token, where the hub is reached, and until when it can be used', async () => {
    const { invite, time } = openNetwork()
    const { id, token, urls, expiresAt } = await invite()
    expect(token.startsWith(`${id}.`)).toBe(true)
    expect(urls).toEqual(URLS)
    expect(expiresAt).toBe(time.now + DAY)
  })

  test('has a label that fits an address, and that is not in use', async () => {
    const { call, invite } = openNetwork()
    await invite()
    await expect(call().machines.invite({ label: 'desktop' })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('claude-peers hub revoke desktop'),
    })
    for (const label of ['', 'Desktop', 'my desktop', 'x'.repeat(49), 'a.b']) {
      await expect(call().machines.invite({ label })).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    }
  })

  test('opens nothing but the way in', async () => {
    const { call, invite } = openNetwork()
    const caller = call({ caller: (await invite()).holder })
    await expect(caller.hub.health()).resolves.toMatchObject({ status: 'ok' })
    const calls = [
      caller.hub.stats(),
      caller.peers.list(),
      caller.peers.watch(),
      caller.messages.history({}),
      caller.mailbox.peek(),
    ]
    for (const refusal of await refusals(calls)) expect(refusal).toMatchObject(forbidden)
  })

  test('that is over lets nobody in', async () => {
    const { call, invite, time, listed } = openNetwork()
    const caller = call({ caller: (await invite()).holder })
    time.now += DAY
    await expect(caller.machines.join({ machine: DESKTOP })).rejects.toMatchObject(unauthorized)
    expect(await listed('desktop')).toMatchObject({ state: 'expired', host: null })
  })
})

describe('joining', () => {
  test('binds the token to the machine, and tells what its sessions will be called', async () => {
    const { call, invite, listed, time } = openNetwork()
    const { holder, id } = await invite()
    expect(await listed('desktop')).toMatchObject({
      tokenId: id,
      state: 'invited',
      boundAt: null,
      sessions: 0,
    })
    time.now += 5
    expect(await call({ caller: holder }).machines.join({ machine: DESKTOP })).toEqual({
      label: 'desktop',
      host: 'desktop-local',
      hub: { host: 'laptop', version: '9.8.7' },
      taken: false,
    })
    expect(await listed('desktop')).toMatchObject({
      state: 'joined',
      host: 'desktop-local',
      boundAt: time.now,
      seenAt: time.now,
      sockets: 3,
    })
  })

  test('again is the same', async () => {
    const { call, join } = openNetwork()
    const { holder } = await join()
    const renamed = { ...DESKTOP, host: 'studio' }
    expect(await call({ caller: holder }).machines.join({ machine: renamed })).toMatchObject({
      label: 'desktop',
      host: 'studio',
    })
  })

  test('tells when another machine has the host already, also the hub’s own', async () => {
    const { call, join, invite } = openNetwork()
    await join()
    const caller = call({ caller: (await invite('server')).holder })
    const taken = async (host: string) => (await caller.machines.join({ machine: { ...SERVER, host } })).taken
    expect(await taken('desktop.local')).toBe(true)
    expect(await taken(HOME_MACHINE.host)).toBe(true)
    expect(await taken('server')).toBe(false)
  })

  test('with the shared token has no label', async () => {
    const { call, listed } = openNetwork()
    expect(await call({ caller: FLEET }).machines.join({ machine: SERVER })).toMatchObject({
      label: null,
      host: 'server',
    })
    expect(await listed('server')).toMatchObject({ tokenId: null, state: 'shared', sockets: null })
  })

  test('happens by the first registration too', async () => {
    const { call, invite, session, listed } = openNetwork()
    const { holder } = await invite()
    const { peer } = await call({ caller: holder }).peers.register({
      ...session('api', DESKTOP),
      process: { pid: 7, start: 'x' },
    })
    expect(peer.address).toBe('api@desktop-local')
    expect(await listed('desktop')).toMatchObject({ state: 'joined', sessions: 1 })
  })

  test('as the machine of the hub, or as one that has a token, is refused, and the invitation stays', async () => {
    const { call, join, invite } = openNetwork()
    await join()
    const caller = call({ caller: (await invite('thief')).holder })
    await expect(caller.machines.join({ machine: HOME_MACHINE })).rejects.toMatchObject(forbidden)
    await expect(caller.machines.join({ machine: DESKTOP })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('claude-peers hub revoke desktop'),
    })
    await expect(caller.machines.join({ machine: SERVER })).resolves.toMatchObject({ label: 'thief' })
  })

  test('needs a token', async () => {
    const { call } = openNetwork()
    const nobody = call({ caller: { kind: 'nobody' } })
    await expect(nobody.machines.join({ machine: SERVER })).rejects.toMatchObject(unauthorized)
    await expect(nobody.peers.list()).rejects.toMatchObject(unauthorized)
  })
})

describe('a machine', () => {
  test('acts for its own peers, and mail goes both ways', async () => {
    const { call, join, session, seat } = openNetwork()
    const { holder } = await join()
    const web = await seat('web')
    const { key, peer } = await call({ caller: holder }).peers.register(session('api', DESKTOP))
    const api = call({ caller: holder, key })
    await web.caller.messages.send(draft(peer.address))
    const { offerId, messages } = await api.mailbox.consume({ budget: 1_000 })
    expect(messages).toHaveLength(1)
    expect(await api.mailbox.ack({ offerId: offerId! })).toMatchObject({ settled: 1 })
    await expect(api.messages.send(draft('web@laptop'))).resolves.toMatchObject({ repeated: false })
  })

  test('has 2,000 seats in two days at most, keeps those, and gets more later', async () => {
    const { call, join, session, time, database } = openNetwork()
    const caller = call({ caller: (await join()).holder })
    for (let group = 0; group < 20; group++) {
      const seats = Array.from({ length: 100 }, (_, seat) =>
        caller.peers.register(session(`${group}-${seat}`, DESKTOP)),
      )
      await Promise.all(seats)
    }
    await expect(caller.peers.register(session('more', DESKTOP))).rejects.toMatchObject({
      code: 'TOO_MANY_REQUESTS',
      message: expect.stringContaining('in the last 48 hours'),
    })
    expect(database.peers.named('more')).toEqual([])
    await expect(caller.peers.register(session('0-0', DESKTOP))).resolves.toMatchObject({
      origin: 'succeeded',
    })
    await expect(call().peers.register(session('own', HOME_MACHINE))).resolves.toMatchObject({
      origin: 'new',
    })
    time.now += 2 * DAY + 1
    await expect(caller.peers.register(session('more', DESKTOP))).resolves.toMatchObject({ origin: 'new' })
  })

  test('registers for no other machine', async () => {
    const { call, join, session } = openNetwork()
    const caller = call({ caller: (await join()).holder })
    for (const machine of [HOME_MACHINE, SERVER]) {
      await expect(caller.peers.register(session('api', machine))).rejects.toMatchObject(forbidden)
      await expect(caller.machines.join({ machine })).rejects.toMatchObject(forbidden)
    }
  })

  test('has no use for the key of another machine’s peer', async () => {
    const { call, join, session, seat } = openNetwork()
    const desktop = (await join()).holder
    const server = (await join('server', SERVER)).holder
    const web = await seat('web')
    const api = await call({ caller: server }).peers.register(session('api', SERVER))
    for (const key of [web.key, api.key]) {
      const caller = call({ caller: desktop, key })
      await expect(caller.mailbox.peek()).rejects.toMatchObject(unauthorized)
      await expect(caller.messages.send(draft('web@laptop'))).rejects.toMatchObject(unauthorized)
      expect((await caller.peers.list()).self).toBeNull()
    }
    await expect(call({ caller: LOCAL, key: api.key }).mailbox.peek()).resolves.toBeDefined()
  })

  test('keeps no key by registering with that of another machine’s peer', async () => {
    const { call, join, session, seat } = openNetwork()
    const { holder } = await join()
    const web = await seat('web')
    const { key } = await call({ caller: holder, key: web.key }).peers.register(session('web', DESKTOP))
    expect(key).not.toBe(web.key)
  })

  test('that was revoked is nobody: its calls, its key and its invitation are refused', async () => {
    const { call, join, session, disconnected, listed } = openNetwork()
    const { holder, id } = await join()
    const { key } = await call({ caller: holder }).peers.register(session('api', DESKTOP))
    const api = call({ caller: { ...holder, machineId: DESKTOP.id } as TokenHolder, key })
    expect(await call().machines.revoke({ machine: 'Desktop' })).toEqual({ label: 'desktop', closed: 1 })
    expect(disconnected).toEqual([id])
    const calls = [
      api.mailbox.peek(),
      api.peers.list(),
      api.machines.join({ machine: DESKTOP }),
      api.peers.register(session('api', DESKTOP)),
    ]
    for (const refusal of await refusals(calls)) expect(refusal).toMatchObject(unauthorized)
    expect(await listed('desktop')).toMatchObject({ state: 'revoked', host: 'desktop-local' })
  })

  test('that was revoked gets nothing more of what it listens to', async () => {
    const { call, join, session, seat, turn } = openNetwork()
    const { holder, id } = await join()
    const { key, peer } = await call({ caller: holder }).peers.register(session('api', DESKTOP))
    const web = await seat('web')
    const left = new AbortController()
    const listener = call({ caller: holder, key }, left.signal)
    const feeds = [
      await listener.mailbox.watch(),
      await listener.peers.watch(),
      await listener.messages.watch(),
    ]
    const [mailbox, peers, messages] = feeds.map((feed) => feed[Symbol.asyncIterator]())
    await mailbox!.next()
    await peers!.next()
    const next = Promise.allSettled([mailbox!.next(), peers!.next(), messages!.next()])
    await call().machines.revoke({ machine: id })
    await turn(web.id, false)
    await web.caller.messages.send(draft(peer.id))
    const over = { status: 'rejected', reason: unauthorized }
    expect(await next).toMatchObject([over, over, over])
    left.abort()
  })

  test('that joins anew after it was revoked has its seats and their mail', async () => {
    const { call, join, session, seat } = openNetwork()
    const first = await join()
    const before = await call({ caller: first.holder }).peers.register(session('api', DESKTOP))
    const web = await seat('web')
    await web.caller.messages.send(draft(before.peer.id, 'kept'))
    await call().machines.revoke({ machine: first.id })
    const { holder } = await join()
    const { peer, key } = await call({ caller: holder }).peers.register(session('api', DESKTOP))
    expect(peer.id).toBe(before.peer.id)
    const peeked = await call({ caller: holder, key }).mailbox.peek()
    expect(peeked.messages.map((mail) => mail.text)).toEqual(['kept'])
  })
})

describe('the shared token', () => {
  test('acts for whoever has none of its own, and not for the machine of the hub', async () => {
    const { call, session, seat } = openNetwork()
    const fleet = call({ caller: FLEET })
    const { key } = await fleet.peers.register(session('api', SERVER))
    await expect(call({ caller: FLEET, key }).mailbox.peek()).resolves.toBeDefined()
    const web = await seat('web')
    await expect(fleet.peers.register(session('web', HOME_MACHINE))).rejects.toMatchObject(forbidden)
    await expect(call({ caller: FLEET, key: web.key }).mailbox.peek()).rejects.toMatchObject(unauthorized)
  })

  test('does not act any more for a machine that has joined with its own', async () => {
    const { call, session, join } = openNetwork()
    const fleet = call({ caller: FLEET })
    const { key } = await fleet.peers.register(session('api', SERVER))
    const { holder } = await join('server', SERVER)
    await expect(fleet.peers.register(session('api', SERVER))).rejects.toMatchObject(forbidden)
    await expect(call({ caller: FLEET, key }).mailbox.peek()).rejects.toMatchObject(unauthorized)
    await expect(call({ caller: holder, key }).mailbox.peek()).resolves.toBeDefined()
  })
})

describe('inviting, listing and revoking', () => {
  test('are for the user of the hub’s machine alone', async () => {
    const { call, join } = openNetwork()
    const { holder } = await join()
    for (const caller of [call({ caller: FLEET }), call({ caller: holder })]) {
      const calls = [
        caller.machines.invite({ label: 'more' }),
        caller.machines.list(),
        caller.machines.revoke({ machine: 'desktop' }),
        caller.hub.stop(),
      ]
      for (const refusal of await refusals(calls))
        expect(refusal).toMatchObject({
          code: 'FORBIDDEN',
          message: expect.stringMatching(/machine.*run `claude-peers/),
        })
    }
  })

  test('revoking whom nobody knows says where to look', async () => {
    const { call } = openNetwork()
    await expect(call().machines.revoke({ machine: 'nobody' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('claude-peers hub machines'),
    })
  })

  test('no answer tells the id of a machine or the secret of a token', async () => {
    const { call, join, seat } = openNetwork()
    const { token } = await join()
    await call({ caller: FLEET }).machines.join({ machine: SERVER })
    const { caller } = await seat('web')
    const told = JSON.stringify([
      await call().machines.list(),
      await caller.peers.list(),
      await call().hub.stats(),
    ])
    for (const secret of [DESKTOP.id, SERVER.id, HOME_MACHINE.id, token.split('.')[1]!]) {
      expect(told).not.toContain(secret)
    }
  })
})
