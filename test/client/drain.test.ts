import { TRPCClientError } from '@trpc/client'
import { describe, expect, test } from 'vitest'
import { createDrain, type Speaker } from '../../lib/client/drain.ts'
import { NoAnswerError } from '../../lib/client/no-answer.ts'
import { judge } from '../../lib/client/verdict.ts'
import { HubSilentError, HubUnavailableError } from '../../lib/machine/hub-unavailable.ts'
import type { Sent } from '../../lib/router/shapes/messages.ts'
import { createSpool, HUB, toEntry, toSender } from '../harness/spool.ts'

const HOUR = 3_600_000
const refusal = (code: string, message = code) =>
  TRPCClientError.from({ error: { message, code: -32_000, data: { code } } })
const away = TRPCClientError.from(new NoAnswerError('The hub does not answer.'))

/** A drain to a hub that answers as the test says, by the message. */
function open(answers: Record<string, Error | undefined> = {}) {
  const own = createSpool()
  const said: string[] = []
  const sent: string[] = []
  const speaker: Speaker = async ({ message }) => {
    said.push(message)
    if (answers[message]) throw answers[message]
    return { messageId: said.length } as Sent
  }
  const theirs = new Set<string>()
  const drain = createDrain({
    spool: own.spool,
    hub: HUB,
    speakerOf: ({ input }) => (theirs.has(input.message) ? undefined : speaker),
    onSent: ({ input }) => void sent.push(input.message),
  })
  return { ...own, answers, said, sent, theirs, drain, [Symbol.dispose]: own[Symbol.dispose] }
}

const waiting = ({ spool }: ReturnType<typeof createSpool>) => spool.list().map(({ input }) => input.message)
const other = { sender: toSender('db', { peerId: 'p_db' }) }

describe('a drain', () => {
  test('sends what waits in order, and removes each after its answer', async () => {
    using world = open()
    for (const text of ['one', 'two', 'three']) world.spool.add(toEntry(text))
    expect(await world.drain()).toBe('done')
    expect(world.sent).toEqual(['one', 'two', 'three'])
    expect(waiting(world)).toEqual([])
  })

  test('sends what is added meanwhile as well', async () => {
    using world = open()
    world.spool.add(toEntry('one'))
    const run = world.drain()
    world.spool.add(toEntry('two'))
    await run
    expect(world.sent).toEqual(['one', 'two'])
  })

  test.each([
    ['nobody answers', away],
    ['the hub starts', refusal('SERVICE_UNAVAILABLE')],
  ])('stops where %s, and loses nothing', async (_, cause) => {
    using world = open({ two: cause })
    for (const text of ['one', 'two', 'three']) world.spool.add(toEntry(text))
    expect(await world.drain()).toBe('away')
    expect(world.said).toEqual(['one', 'two'])
    expect(waiting(world)).toEqual(['two', 'three'])
    delete world.answers['two']
    await world.drain()
    expect(world.sent).toEqual(['one', 'two', 'three'])
  })

  test('stops where the hub does not let this machine in, and no message is to blame', async () => {
    using world = open({ one: TRPCClientError.from(new HubUnavailableError('no token')) })
    world.spool.add(toEntry('one'))
    expect(await world.drain()).toBe('shut')
    world.answers['one'] = refusal('FORBIDDEN')
    expect(await world.drain()).toBe('shut')
    expect(waiting(world)).toEqual(['one'])
  })

  test('waits at a limit, overtakes it with nothing of that sender, and goes on with others', async () => {
    using world = open({ two: refusal('TOO_MANY_REQUESTS') })
    for (const text of ['one', 'two', 'three']) world.spool.add(toEntry(text))
    world.spool.add(toEntry('four', other))
    expect(await world.drain()).toBe('later')
    expect(world.sent).toEqual(['one', 'four'])
    delete world.answers['two']
    expect(await world.drain()).toBe('done')
    expect(world.sent).toEqual(['one', 'four', 'two', 'three'])
  })

  test('overtakes none of a session that had no seat, then one, and then another process', async () => {
    using world = open({ one: refusal('TOO_MANY_REQUESTS') })
    const in1 = { pid: 101, start: 'first' }
    const in2 = { pid: 102, start: 'second' }
    const from = (seat: string | undefined, process: typeof in1) => ({
      sender: {
        ...(seat && { peerId: seat }),
        registration: { ...toSender('web').registration, process },
      },
    })
    world.spool.add(toEntry('one', from(undefined, in1)))
    world.spool.add(toEntry('two', from('p_web', in1)))
    world.spool.add(toEntry('three', from('p_web', in2)))
    expect(await world.drain()).toBe('later')
    expect(world.sent).toEqual([])
    delete world.answers['one']
    await world.drain()
    expect(world.sent).toEqual(['one', 'two', 'three'])
  })

  test('gives a limit ten minutes, then tells its sender and goes on', async () => {
    using world = open({ one: refusal('TOO_MANY_REQUESTS', 'The mailbox of api@laptop is full.') })
    world.spool.add(toEntry('one'))
    world.spool.add(toEntry('two'))
    await world.drain()
    world.time.now += 9 * 60_000
    await world.drain()
    expect(waiting(world)).toEqual(['one', 'two'])
    world.time.now += 61_000
    await world.drain()
    expect(world.spool.refused()).toEqual([
      expect.objectContaining({ reason: 'The mailbox of api@laptop is full.' }),
    ])
    expect(world.sent).toEqual(['two'])
  })

  test('does not blame a message for a failure of the hub, however long it lasts', async () => {
    using world = open({ one: refusal('INTERNAL_SERVER_ERROR') })
    world.spool.add(toEntry('one'))
    for (let hour = 0; hour < 40; hour++) {
      world.time.now += HOUR
      expect(await world.drain()).toBe('later')
    }
    expect(waiting(world)).toEqual(['one'])
  })

  test('sets aside what the hub refuses, with its words', async () => {
    using world = open({ one: refusal('NOT_FOUND', 'Nobody is called "api".') })
    world.spool.add(toEntry('one'))
    world.spool.add(toEntry('two'))
    expect(await world.drain()).toBe('done')
    expect(world.sent).toEqual(['two'])
    expect(world.spool.refused()).toEqual([expect.objectContaining({ reason: 'Nobody is called "api".' })])
  })

  test('does not say that a message was not sent whose key the hub knows, for another peer of that name', async () => {
    using world = open({ one: refusal('CONFLICT', 'The key was used for message 12.') })
    world.spool.add(toEntry('one'))
    expect(await world.drain()).toBe('done')
    expect(world.spool.refused()).toEqual([
      expect.objectContaining({ isUnknown: true, reason: 'The key was used for message 12.' }),
    ])
  })

  test('gives up what waited seven days for a hub that stayed away an hour longer, and does not forget it', async () => {
    using world = open({ old: away })
    world.spool.add(toEntry('old'))
    world.spool.add(toEntry('old, elsewhere', { hub: 'http://former:7899' }))
    world.time.now += 7 * 24 * HOUR + 1
    expect(await world.drain()).toBe('away')
    world.time.now += HOUR
    expect(await world.drain()).toBe('away')
    expect(world.spool.refused()).toEqual([])
    world.time.now += 1
    await world.drain()
    expect(world.spool.refused()).toMatchObject(
      ['old', 'old, elsewhere'].map((message) => ({
        input: { message },
        reason: 'The hub did not answer for 7 days after it was written.',
      })),
    )
  })

  test('sends what became too old while the machine slept, as the hub is there', async () => {
    using world = open()
    world.spool.add(toEntry('old'))
    world.time.now += 30 * 24 * HOUR
    expect(await world.drain()).toBe('done')
    expect(world.sent).toEqual(['old'])
  })

  test('leaves what is for another hub, or for another process, and does not let it be overtaken', async () => {
    using world = open()
    world.theirs.add('one')
    world.spool.add(toEntry('elsewhere', { hub: 'http://former:7899' }))
    world.spool.add(toEntry('one'))
    world.spool.add(toEntry('two'))
    world.spool.add(toEntry('three', other))
    expect(await world.drain()).toBe('later')
    expect(world.sent).toEqual(['three'])
    expect(waiting(world)).toEqual(['elsewhere', 'one', 'two'])
  })

  test('runs once at a time; two of them at once send in the same order', async () => {
    using world = open()
    for (let count = 0; count < 20; count++) world.spool.add(toEntry(`${count}`))
    const order: string[] = []
    const known = new Set<string>()
    const second = createDrain({
      spool: world.spool,
      hub: HUB,
      speakerOf: () => async (input) => {
        await new Promise((resolve) => setImmediate(resolve))
        if (!known.has(input.idempotencyKey)) order.push(input.message)
        known.add(input.idempotencyKey)
        return { messageId: 1 } as Sent
      },
    })
    await Promise.all([second(), second(), second()])
    expect(order).toEqual(Array.from({ length: 20 }, (_, count) => `${count}`))
  })
})

test('what a failed call tells is judged by the hub’s word, and by nothing else', () => {
  expect(judge(away)).toBe('away')
  expect(judge(new Error('no seat', { cause: away }))).toBe('away')
  expect(judge(TRPCClientError.from(new HubSilentError('away')))).toBe('away')
  expect(judge(TRPCClientError.from(new HubUnavailableError('no token')))).toBe('shut')
  expect(judge(new Error('a setting'))).toBe('shut')
  expect(judge(refusal('UNAUTHORIZED'))).toBe('unknown')
  expect(judge(refusal('PAYLOAD_TOO_LARGE'))).toBe('refused')
})
