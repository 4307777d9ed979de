import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Session } from '../harness/session.ts'
import { openFleet, type Fleet } from './fleet.ts'

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
  await expect.poll(() => listed(web)).toContainEqual(expect.stringMatching(/^api@desktop (online|idle)$/))
  await expect.poll(() => listed(api)).toContainEqual(expect.stringMatching(/^web@laptop (online|idle)$/))
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
