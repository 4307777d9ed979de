import { describe, expect, test } from 'vitest'
import { draft, openRouter, type RouterSeat } from '../harness/router.ts'

const desktop = { id: 'machine-desktop', host: 'desktop' }
const REFUSED = { code: 'PRECONDITION_FAILED', message: expect.stringMatching(/^This seat stays/) }

/** A person, a session that the person wrote to, and one beside it. */
async function openProbe() {
  const router = openRouter()
  const user = await router.seat('home', { kind: 'user', online: false })
  const [probe, api] = [await router.seat('probe'), await router.seat('api')]
  return { ...router, user, probe, api }
}

async function read({ caller }: RouterSeat) {
  const { offerId } = await caller.mailbox.consume({ budget: 1_000 })
  await caller.mailbox.ack({ offerId: offerId! })
}

describe('peers.remove', () => {
  test('takes a seat away that only the person of its machine wrote to, with that mail', async () => {
    const { call, database, user, probe, api } = await openProbe()
    const { messageId } = await user.caller.messages.send(draft('probe', 'only to it'))
    const both = await user.caller.messages.send(draft(['probe', 'api'], 'to both'))
    await read(probe)
    await probe.caller.peers.leave()
    expect(await probe.caller.peers.remove()).toMatchObject({ name: 'probe' })
    const { peers } = await call().peers.list()
    expect(peers.map((peer) => peer.name)).toEqual(['api', 'user'])
    await expect(user.caller.messages.status({ messageId })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    const { recipients } = await user.caller.messages.status({ messageId: both.messageId })
    expect(recipients.map((one) => one.to)).toEqual(['api@laptop'])
    await read(api)
    await expect(probe.caller.peers.remove()).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
    expect(database.sqlite.pragma('foreign_key_check')).toEqual([])
  })

  const reasons: [string, (world: Awaited<ReturnType<typeof openProbe>>) => Promise<unknown>][] = [
    ['is connected', ({ turn, probe }) => turn(probe.id, true)],
    ['has mail that waits', ({ user }) => user.caller.messages.send(draft('probe'))],
    [
      'holds mail that is on offer',
      async ({ user, probe }) => {
        await user.caller.messages.send(draft('probe'))
        await probe.caller.mailbox.consume({ budget: 100 })
      },
    ],
    ['has sent mail', ({ probe }) => probe.caller.messages.send(draft('api'))],
    [
      'got mail from another session',
      async ({ api, probe }) => {
        await api.caller.messages.send(draft('probe'))
        await read(probe)
      },
    ],
    [
      'got mail from a person at another machine',
      async ({ seat, probe }) => {
        const other = await seat('home', { kind: 'user', machine: desktop, online: false })
        await other.caller.messages.send(draft('probe@laptop'))
        await read(probe)
      },
    ],
  ]
  test.each(reasons)('leaves a seat alone that %s', async (_, make) => {
    const world = await openProbe()
    await world.probe.caller.peers.leave()
    await make(world)
    await expect(world.probe.caller.peers.remove()).rejects.toMatchObject(REFUSED)
    expect(world.database.peers.get(world.probe.id)).toMatchObject({ name: 'probe' })
  })

  test('leaves the person’s own seat alone', async () => {
    const { user } = await openProbe()
    await expect(user.caller.peers.remove()).rejects.toMatchObject(REFUSED)
  })

  test('needs the key of the seat', async () => {
    const { call } = openRouter()
    await expect(call().peers.remove()).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
  })
})
