import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Session } from '../harness/session.ts'
import { openTranscript } from '../harness/transcript.ts'
import { waitFor } from '../harness/wait.ts'
import { HUB_URL, openFleet, SHARED_TOKEN, type Fleet } from './fleet.ts'
import { openMachine, skewClock } from './machine.ts'

const HOUR = 60 * 60_000
const CLIENT = { broker_url: HUB_URL, token: SHARED_TOKEN }

let fleet: Fleet
let web: Session
let api: Session
const stack = new AsyncDisposableStack()

beforeAll(async () => {
  fleet = stack.use(await openFleet())
  stack.use(await fleet.serve())
  web = stack.use(await fleet.session(fleet.laptop, 'web'))
  api = stack.use(await fleet.session(fleet.desktop, 'api'))
})
afterAll(() => stack.disposeAsync())

/** Where a message of a session stands. */
async function stateOf(session: Session, messageId: unknown) {
  const { data } = await session.tool('message_status', { message_id: messageId })
  return (data['recipients'] as { state: string }[])[0]?.state
}

test('sessions of two machines list each other, online', async () => {
  const listed = async (session: Session) => {
    const { data } = await session.tool('list_peers')
    const peers = data['peers'] as { address: string; state: string }[]
    return peers.map((peer) => `${peer.address} ${peer.state}`)
  }
  await expect.poll(() => listed(web)).toContainEqual(expect.stringMatching(/^api@desktop (online|idle)\b/))
  await expect.poll(() => listed(api)).toContainEqual(expect.stringMatching(/^web@laptop (online|idle)\b/))
})

test.each([
  { from: () => web, to: () => api, address: 'api' },
  { from: () => api, to: () => web, address: 'web@laptop' },
])(
  'mail to $address goes over the network, and its sender has the receipt',
  async ({ from, to, address }) => {
    const { data } = await from().tool('send_message', { to: address, message: `to ${address}` })
    await to().mailWaits()
    expect(await stateOf(from(), data['message_id'])).toBe('queued')
    expect(await to().deliver('PostToolUse')).toContain(`to ${address}`)
    expect(await stateOf(from(), data['message_id'])).toBe('delivered')
    expect(await to().deliver('UserPromptSubmit')).toBe('')
  },
)

test('the command line of one machine reaches a session of the other, and the answer its inbox', async () => {
  const sent = await fleet.laptop.cli(['send', 'api', 'from the person'])
  expect(sent).toMatchObject({ code: 0 })
  await api.mailWaits()
  expect(await api.deliver('UserPromptSubmit')).toContain('from the person')
  await api.tool('send_message', { to: 'user@laptop', message: 'to the person' })
  expect((await fleet.laptop.cli(['inbox'])).stdout).toContain('to the person')
})

test('a bare name that two machines have names neither; with its host it does', async () => {
  await using here = await fleet.session(fleet.laptop, 'shop')
  await using there = await fleet.session(fleet.desktop, 'shop')
  await using asker = await fleet.session(fleet.hub, 'asker')
  const ambiguous = await asker.tool('send_message', { to: 'shop', message: 'to whom?' })
  expect(ambiguous).toMatchObject({ isError: true })
  expect(ambiguous.text).toContain('shop@laptop')
  expect(ambiguous.text).toContain('shop@desktop')

  await asker.tool('send_message', { to: 'shop@desktop', message: 'to the desktop' })
  await there.mailWaits()
  expect(await there.deliver('UserPromptSubmit')).toContain('to the desktop')
  // A bare name means the own machine first.
  await web.tool('send_message', { to: 'shop', message: 'to my own machine' })
  await here.mailWaits()
  expect(await here.deliver('UserPromptSubmit')).toContain('to my own machine')
  expect([here.hasMailFlag(), there.hasMailFlag()]).toEqual([false, false])
  expect(await there.deliver('UserPromptSubmit')).toBe('')
})

test('a machine that is renamed gets what was sent to its old address, and mail to the new one', async () => {
  await using shop = await fleet.session(fleet.laptop, 'renamed')
  await api.tool('send_message', { to: 'renamed@laptop', message: 'to the old address' })
  await shop.mailWaits()
  const seat = shop.card()!.peerId
  await fleet.laptop.configure({ ...CLIENT, host: 'notebook' })
  await shop.restartMcp()
  await waitFor(() => shop.card(), 'the session to be registered')
  const { isError } = await api.tool('send_message', {
    to: 'renamed@notebook',
    message: 'to the new address',
  })
  expect(isError).toBeUndefined()
  await shop.mailWaits()
  const read = (await shop.deliver('UserPromptSubmit')) + (await shop.deliver('UserPromptSubmit'))
  expect(read).toMatch(/to the old address[^]*to the new address/)
  expect(shop.card()!.peerId).toBe(seat)
  // So that the tests after this one find the machine by its name.
  await fleet.laptop.configure(CLIENT)
  await web.restartMcp()
})

test.each([
  ['ahead', HOUR],
  ['behind', -HOUR],
])('a machine whose clock is an hour %s sends, receives and proves what it read', async (side, skew) => {
  await using other = await openMachine(fleet.network.hosts.stranger, CLIENT)
  skewClock(other, skew)
  await using clock = await fleet.session(other, `clock-${side}`)
  const sent = await clock.tool('send_message', { to: 'api@desktop', message: 'what time is it?' })
  await api.mailWaits()
  expect(await api.deliver('UserPromptSubmit')).toContain('what time is it?')
  expect(await stateOf(clock, sent.data['message_id'])).toBe('delivered')

  const answer = await api.tool('send_message', { to: `clock-${side}`, message: 'time for tea' })
  await clock.mailWaits()
  const path = join(other.path, 'transcript.jsonl')
  const transcript = openTranscript(path, () => Date.now() + skew)
  const read = await clock.deliver('UserPromptSubmit', { transcript_path: path })
  expect(read).toContain('time for tea')
  transcript.inject(read)
  transcript.reply()
  await expect.poll(() => stateOf(api, answer.data['message_id']), { timeout: 20_000 }).toBe('read')
})
