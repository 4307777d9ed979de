/** Who sends what a process has left in the spool that has ended. */
import { expect, test } from 'vitest'
import { createSpeakers, type Self } from '../../lib/client/speakers.ts'
import { setCutOff, writeCard } from '../../lib/machine/cards.ts'
import { makePrivateDir } from '../../lib/machine/paths.ts'
import { readIdentity } from '../../lib/machine/processes.ts'
import type { Entry, Sender } from '../../lib/machine/spool.ts'
import { openHub, stockClient, takeSeat, type TestHub } from '../harness/hub.ts'
import { GONE, toEntry, toSender } from '../harness/spool.ts'

/** This machine, with a hub and a session `api` that is written to. */
async function open() {
  const hub = await openHub()
  const api = await takeSeat(hub, 'api')
  const speakers = (self?: Self) =>
    createSpeakers({
      config: { ...hub.config, brokerUrl: hub.url },
      locate: async () => hub,
      self: () => self,
    })
  return {
    hub,
    speakers,
    async sentBy(entry: Omit<Entry, 'at'>, self?: Self): Promise<string | undefined> {
      const speaker = speakers(self)({ ...entry, at: 0 })
      if (!speaker) return undefined
      await speaker(entry.input)
      return (await api.client.mailbox.peek.query({})).messages.at(-1)?.from
    },
    [Symbol.asyncDispose]: () => hub[Symbol.asyncDispose](),
  }
}

/** The card of another session, whose server is the process that runs this test. */
function addCard(hub: TestHub, { root, peerId }: { root: string; peerId: string }) {
  const { sessions } = hub.config.paths
  const other = readIdentity(process.ppid)
  makePrivateDir(sessions)
  writeCard(sessions, {
    hubUrl: hub.url,
    token: hub.token,
    peerId,
    name: 'other',
    root,
    key: 'k',
    toolPrefix: 'mcp__claude-peers__',
    claude: other,
    mcp: other,
    sessionIds: [],
  })
}

const left = (sender: Sender) => toEntry('left behind', { sender, by: GONE })

test('whoever is there, with the key of the entry', async () => {
  await using world = await open()
  const web = await takeSeat(world.hub, 'web')
  expect(await world.sentBy(left(toSender('web', { peerId: web.id, key: web.key })))).toBe('web@laptop')
})

test('of several sessions the first whose hub is there, and no command while there is one', async () => {
  await using world = await open()
  const web = await takeSeat(world.hub, 'web')
  const entry = left(toSender('web', { peerId: web.id, key: web.key }))
  const db = await takeSeat(world.hub, 'db')
  const self = {
    sender: toSender('db', { peerId: db.id }),
    send: () => Promise.reject(new Error('not as it')),
  }
  addCard(world.hub, { root: '/src/elsewhere', peerId: 'p_other' })
  expect(await world.sentBy(entry)).toBeUndefined()
  const isFirst = process.pid < process.ppid
  expect(await world.sentBy(entry, self)).toBe(isFirst ? 'web@laptop' : undefined)
  setCutOff(world.hub.config.paths.sessions, process.ppid, true)
  expect(await world.sentBy(entry)).toBe('web@laptop')
})

test('nobody else while its writer lives, or a session that has its seat', async () => {
  await using world = await open()
  const web = await takeSeat(world.hub, 'web')
  const sender = toSender('web', { peerId: web.id, key: web.key })
  expect(await world.sentBy(toEntry('mine', { sender }))).toBeUndefined()
  addCard(world.hub, { root: '/src/elsewhere', peerId: web.id })
  expect(await world.sentBy(left(sender))).toBeUndefined()
})

test('a session with the seat of the sender, as that seat, whatever became of the key', async () => {
  await using world = await open()
  const before = await takeSeat(world.hub, 'web')
  const successor = await takeSeat(world.hub, 'web')
  expect(successor.id).toBe(before.id)
  const self = {
    sender: toSender('web', { peerId: successor.id, key: successor.key }),
    send: (input: Entry['input']) => successor.client.messages.send.mutate(input),
  }
  const entry = left(toSender('web', { peerId: before.id, key: before.key }))
  expect(await world.sentBy(entry, self)).toBe('web@laptop')
})

test('with a key that holds no more and nobody of its repository: whoever is there, from the seat that was left', async () => {
  await using world = await open()
  const before = await takeSeat(world.hub, 'web')
  await takeSeat(world.hub, 'web')
  expect(await world.sentBy(left(toSender('web', { peerId: before.id, key: before.key })))).toBe('web@laptop')
  const { peers } = await stockClient(world.hub).peers.list.query()
  expect(peers.map(({ name, state }) => [name, state])).toEqual(
    expect.arrayContaining([
      ['web', 'offline'],
      ['api', 'offline'],
    ]),
  )
  expect(peers).toHaveLength(2)
})

test('without a key: a session of the same repository as itself, and nobody before it', async () => {
  await using world = await open()
  addCard(world.hub, { root: '/src/web', peerId: 'p_other' })
  expect(await world.sentBy(left(toSender('web')))).toBeUndefined()
  const heir = await takeSeat(world.hub, 'web')
  const self = {
    sender: toSender('web', { peerId: heir.id, key: heir.key }),
    send: (input: Entry['input']) => heir.client.messages.send.mutate(input),
  }
  expect(await world.sentBy(left(toSender('web')), self)).toBe('web@laptop')
})

test('without a key and a session of its repository: whoever is there, once its Claude process has ended', async () => {
  await using world = await open()
  const sender = toSender('web')
  sender.registration.process = readIdentity(process.ppid)
  expect(await world.sentBy(left(sender))).toBeUndefined()
  sender.registration.process = GONE
  expect(await world.sentBy(left(sender))).toBe('web@laptop')
})

test('anybody for the person, as the person', async () => {
  await using world = await open()
  const sender = toSender('home')
  sender.registration.kind = 'user'
  expect(await world.sentBy(left(sender))).toBe('user@laptop')
})
