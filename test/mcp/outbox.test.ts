import { randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { TRPCClientError } from '@trpc/client'
import { expect, test } from 'vitest'
import type { Link } from '../../apps/mcp/link.ts'
import { createOutbox } from '../../apps/mcp/outbox.ts'
import { startDeadline } from '../../apps/mcp/deadline.ts'
import { NoAnswerError } from '../../lib/client/no-answer.ts'
import { judge } from '../../lib/client/verdict.ts'
import { readConfig, type Config } from '../../lib/machine/config.ts'
import { HubUnavailableError } from '../../lib/machine/hub-unavailable.ts'
import type { SendInput, Sent } from '../../lib/router/shapes/messages.ts'
import { createSpool, toEntry, toSender } from '../harness/spool.ts'
import { waitFor } from '../harness/wait.ts'

const away = () => Promise.reject(TRPCClientError.from(new NoAnswerError('The hub does not answer.')))
const stored = { messageId: 7 } as Sent
const toInput = (message: string): SendInput => ({
  to: 'api',
  message,
  urgency: 'normal',
  idempotencyKey: randomUUID(),
})

/** An outbox before a hub that does with each message what the test says, and a clock that only the test moves. */
function open({ remote = true } = {}) {
  const own = createSpool()
  const config = readConfig({
    HOME: '/nowhere',
    ...(remote && { CLAUDE_PEERS_BROKER_URL: 'http://studio:7899', CLAUDE_PEERS_TOKEN: 'a-token' }),
  })
  const calls: SendInput[] = []
  const hub = {
    send: (): Promise<Sent> => Promise.resolve(stored),
    renew: (): Promise<void> => Promise.resolve(),
  }
  let limits: (() => void)[] = []
  const link = {
    remote: (): Config | undefined => (remote ? config : undefined),
    sender: async () => toSender('web', { peerId: 'p_web', key: 'p_web.secret' }),
    seated: () => Promise.resolve(),
    renew: () => hub.renew(),
    hub: {
      messages: {
        send: {
          mutate(input: SendInput) {
            calls.push(input)
            return hub.send()
          },
        },
      },
    },
  } as unknown as Link
  const deadline = () => startDeadline(1_500, () => new Promise<void>((resolve) => limits.push(resolve)))
  const outbox = createOutbox({ link, spool: own.spool, deadline })
  return {
    ...own,
    outbox,
    calls,
    hub,
    /** The oldest deadline is over. */
    expire: () => limits.shift()!(),
    [Symbol.dispose]() {
      outbox.close()
      own[Symbol.dispose]()
    },
  }
}

const waiting = ({ spool }: ReturnType<typeof createSpool>) => spool.list().map(({ input }) => input.message)

test('what the hub answers for is sent, and nothing is kept', async () => {
  using world = open()
  expect(await world.outbox.send(toInput('one'))).toBe(stored)
  expect(waiting(world)).toEqual([])
})

test('what fails is kept under the key of the attempt', async () => {
  using world = open()
  world.hub.send = away
  const input = toInput('one')
  expect(await world.outbox.send(input)).toMatchObject({ kept: { input, hub: 'http://studio:7899' } })
  expect(world.spool.list()).toEqual([
    expect.objectContaining({ input, sender: expect.objectContaining({ key: 'p_web.secret' }) }),
  ])
})

test('what a hub of this machine does not take is not kept', async () => {
  using world = open({ remote: false })
  world.hub.send = away
  await expect(world.outbox.send(toInput('one'))).rejects.toThrow('The hub does not answer.')
  expect(waiting(world)).toEqual([])
})

test('what the hub refuses is told, and not kept', async () => {
  using world = open()
  world.hub.send = () =>
    Promise.reject(
      TRPCClientError.from({ error: { message: 'no such peer', code: -1, data: { code: 'NOT_FOUND' } } }),
    )
  await expect(world.outbox.send(toInput('one'))).rejects.toThrow('no such peer')
  expect(waiting(world)).toEqual([])
})

test('a call without an answer is kept at the deadline, and done with when the answer comes after all', async () => {
  using world = open()
  const answer = Promise.withResolvers<Sent>()
  world.hub.send = () => answer.promise
  const input = toInput('one')
  const sending = world.outbox.send(input)
  await waitFor(() => world.calls.length === 1, 'the call')
  world.expire()
  expect(await sending).toMatchObject({ kept: { input } })
  expect(waiting(world)).toEqual(['one'])
  answer.resolve(stored)
  await waitFor(() => waiting(world).length === 0, 'the entry to be done with')
  const news = await world.outbox.news()
  expect(news.sent).toMatchObject([{ messageId: 7, entry: { input } }])
  news.told()
  expect((await world.outbox.news()).sent).toEqual([])
})

test('sends that are asked for at once are kept in their order, each at its own deadline', async () => {
  using world = open()
  world.hub.send = () => new Promise(() => undefined)
  const texts = ['one', 'two', 'three', 'four']
  const all = texts.map((text) => world.outbox.send(toInput(text)))
  await waitFor(() => world.calls.length === 1, 'the first call')
  for (const sending of all) {
    world.expire()
    await sending
  }
  expect(waiting(world)).toEqual(texts)
})

test('while something waits, what is newer goes behind it; a hub that is back gets it first', async () => {
  using world = open()
  world.hub.send = away
  await world.outbox.send(toInput('one'))
  expect(await world.outbox.send(toInput('two'))).toHaveProperty('kept')
  expect(world.calls.at(-1)?.message).toBe('one')
  world.hub.send = () => Promise.resolve(stored)
  world.calls.length = 0
  expect(await world.outbox.send(toInput('three'))).toBe(stored)
  expect(world.calls.map(({ message }) => message)).toEqual(['one', 'two', 'three'])
})

test('what waits for another hub, or of another session, is in nobody’s way', async () => {
  using world = open()
  world.spool.add(toEntry('for the hub before', { hub: 'http://former:7899' }))
  world.spool.add(toEntry('another’s', { sender: toSender('db', { peerId: 'p_db' }) }))
  expect(await world.outbox.send(toInput('one'))).toBe(stored)
  expect(waiting(world)).toEqual(['for the hub before', 'another’s'])
})

test.each([
  ['failed', false],
  ['has no answer yet', true],
])('what may be stored and cannot be kept keeps its key: the call %s', async (_, isSilent) => {
  using world = open()
  mkdirSync(dirname(world.path))
  writeFileSync(world.path, 'in the way')
  world.hub.send = isSilent ? () => new Promise(() => undefined) : away
  const sending = world.outbox.send(toInput('one')).catch((cause: Error) => cause)
  await waitFor(() => world.calls.length === 1, 'the call')
  if (isSilent) world.expire()
  const cause = (await sending) as Error
  expect(cause.message).toMatch(/^The hub at .* does not answer, and the message could not be kept/)
  expect(judge(cause)).toBe('away')
})

test('what waits behind a limit of the hub is not said to wait for a hub that is away', async () => {
  using world = open()
  world.hub.send = away
  expect(await world.outbox.send(toInput('one'))).toMatchObject({ isBehind: false })
  world.hub.send = () =>
    Promise.reject(
      TRPCClientError.from({ error: { message: 'full', code: -1, data: { code: 'TOO_MANY_REQUESTS' } } }),
    )
  expect(await world.outbox.send(toInput('two'))).toMatchObject({ isBehind: true })
  expect(waiting(world)).toEqual(['one', 'two'])
})

test('a machine that is shut out is told so also while something waits, and keeps no more', async () => {
  using world = open()
  world.hub.send = away
  await world.outbox.send(toInput('one'))
  const revoked = new HubUnavailableError('The hub does not let this machine in (401).')
  world.hub.send = () => Promise.reject(TRPCClientError.from(revoked))
  world.hub.renew = () => Promise.reject(revoked)
  await expect(world.outbox.send(toInput('two'))).rejects.toThrow('does not let this machine in')
  expect(waiting(world)).toEqual(['one'])
})
