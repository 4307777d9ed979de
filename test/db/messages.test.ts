import { expect, test } from 'vitest'
import { LEASE_MS, MAX_SENDS_PER_MINUTE, PLACES } from '../../lib/db/limits.ts'
import type { Draft } from '../../lib/db/messages.ts'
import { toDigest } from '../../lib/db/mail-writes.ts'
import { HOUR, makeDirectory, openFileWorld, openWorld, SECOND } from './harness.ts'

const MINUTE = 60 * SECOND

test('a message gets an ascending number and waits seven days', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const first = world.send(api, web)
  const second = world.send(web, api)
  expect(second).toBeGreaterThan(first)
  expect(world.receipt(first)).toMatchObject({
    senderId: api,
    senderName: 'api',
    senderHost: 'laptop',
    recipientId: web,
    recipientName: 'web',
    recipientHost: 'laptop',
    queuedAt: world.clock.now,
    expiresAt: world.clock.now + 7 * 24 * HOUR,
  })
})

test('the same key is the same message, also after it was delivered', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const draft = { idempotencyKey: 'one', body: 'hello' }
  const id = world.send(api, web, draft)
  expect(world.trySend(api, web, draft)).toEqual({ kind: 'repeated', messageId: id })
  world.acknowledge(web, world.consume(web))
  expect(world.trySend(api, web, draft)).toEqual({ kind: 'repeated', messageId: id })
  expect(world.database.messages.counts()).toEqual({ queued: 0, offered: 0, settled: 1 })
})

test('the same key is the same message after the file is opened again', () => {
  using directory = makeDirectory()
  const draft = { idempotencyKey: 'one', body: 'hello' }
  let sent: { api: string; web: string; id: number }
  {
    using world = openFileWorld(directory.file)
    const [api, web] = [world.join('api'), world.join('web')]
    sent = { api, web, id: world.send(api, web, draft) }
  }
  using world = openFileWorld(directory.file)
  expect(world.trySend(sent.api, sent.web, draft)).toEqual({ kind: 'repeated', messageId: sent.id })
})

test.for([
  ['another body', { body: 'else' }],
  ['another urgency', { urgency: 'fyi' }],
  ['another message that it replies to', { replyTo: 1 }],
] as const)('a key that comes again with %s is refused', ([, change]) => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const draft = { idempotencyKey: 'one', body: 'hello' } as const
  const id = world.send(api, web, draft)
  expect(world.trySend(api, web, { ...draft, ...change })).toEqual({ kind: 'key-reused', messageId: id })
})

test('a key that comes again for other recipients is refused, in another order it is the same', () => {
  using world = openWorld()
  const [api, web, cli] = [world.join('api'), world.join('web'), world.join('cli')]
  const draft = { idempotencyKey: 'one', body: 'hello' }
  const id = world.send(api, [web, cli], draft)
  expect(world.trySend(api, [web], draft)).toEqual({ kind: 'key-reused', messageId: id })
  expect(world.trySend(api, [cli, web], draft)).toEqual({ kind: 'repeated', messageId: id })
})

test('the keys of two senders have nothing to do with each other', () => {
  using world = openWorld()
  const [api, web, cli] = [world.join('api'), world.join('web'), world.join('cli')]
  world.send(api, cli, { idempotencyKey: 'one', body: 'a' })
  expect(world.trySend(web, cli, { idempotencyKey: 'one', body: 'b' }).kind).toBe('sent')
})

test('a repeated send is told so even when the mailbox has become full or the minute is used up', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const draft = { idempotencyKey: 'one', body: 'hello' }
  world.send(api, web, draft)
  for (let count = 1; count < MAX_SENDS_PER_MINUTE; count++) world.send(api, web)
  expect(world.trySend(api, web).kind).toBe('too-fast')
  expect(world.trySend(api, web, draft).kind).toBe('repeated')
})

test('the 61st message of a pair within a minute is refused, and other pairs are not', () => {
  using world = openWorld()
  const [api, web, cli] = [world.join('api'), world.join('web'), world.join('cli')]
  for (let count = 0; count < MAX_SENDS_PER_MINUTE; count++) {
    world.send(api, web)
    world.advance(100)
  }
  expect(world.trySend(api, web)).toEqual({ kind: 'too-fast', recipientId: web })
  expect(world.trySend(api, [cli, web])).toEqual({ kind: 'too-fast', recipientId: web })
  expect(world.trySend(api, cli).kind).toBe('sent')
  expect(world.trySend(cli, web).kind).toBe('sent')
  world.advance(MINUTE - MAX_SENDS_PER_MINUTE * 100)
  expect(world.trySend(api, web).kind).toBe('sent')
  expect(world.trySend(api, web).kind).toBe('too-fast')
})

test('delivered messages count for the minute too', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  for (let count = 0; count < MAX_SENDS_PER_MINUTE; count++) {
    world.send(api, web)
    world.acknowledge(web, world.consume(web))
  }
  expect(world.trySend(api, web).kind).toBe('too-fast')
})

test('a send that awaits an answer is the same when it comes again, though time goes on while it is written', () => {
  using world = openWorld()
  const [api, web, cli] = [world.join('api'), world.join('web'), world.join('cli')]
  let now = world.clock.now
  Object.defineProperty(world.clock, 'now', { get: () => now++ })
  const send = () =>
    world.trySend(api, [web, cli], { idempotencyKey: 'one key', body: 'hello', replyWithin: 300_000 })
  const first = send()
  expect(first.kind).toBe('sent')
  expect(send()).toEqual({ ...first, kind: 'repeated' })
})

test('who wrote every other second is not told after the clock was set back that it wrote sixty times in a minute', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const say = () => {
    const { kind } = world.trySend(api, web)
    world.consume(web)
    return kind
  }
  for (let count = 0; count < MAX_SENDS_PER_MINUTE; count++) {
    expect(say()).toBe('sent')
    world.advance(2 * SECOND)
  }
  world.clock.now -= 90 * SECOND
  expect(say()).toBe('sent')
})

test('a clock that was set back does not keep a pair from talking', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  for (let count = 0; count < MAX_SENDS_PER_MINUTE; count++) world.send(api, web)
  world.advance(-5 * HOUR)
  expect(world.trySend(api, web).kind).toBe('sent')
})

test('a mailbox takes 600 waiting messages from its own machine, and more when some are read', () => {
  using world = openWorld()
  const web = world.join('web')
  const senders = Array.from({ length: PLACES.own / 50 }, (_, number) => world.join(`sender-${number}`))
  for (const sender of senders) for (let count = 0; count < 50; count++) world.send(sender, web)
  const [first] = senders as [string]
  expect(world.trySend(first, web)).toEqual({ kind: 'mailbox-full', recipientId: web, taken: 'own' })
  const cli = world.join('cli')
  expect(world.trySend(first, [cli, web])).toMatchObject({ kind: 'mailbox-full', recipientId: web })
  expect(world.database.mailbox.hasMail(cli)).toBe(false)
  expect(world.trySend(first, cli).kind).toBe('sent')

  const offer = world.consume(web, { budget: 100 })
  expect(world.trySend(first, web).kind).toBe('mailbox-full')
  world.acknowledge(web, offer)
  expect(world.trySend(first, web).kind).toBe('sent')
})

test('a refused send leaves nothing behind', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  for (let count = 0; count < MAX_SENDS_PER_MINUTE; count++) world.send(api, web)
  const draft = { idempotencyKey: 'refused', body: 'hello' }
  expect(world.trySend(api, web, draft).kind).toBe('too-fast')
  world.advance(MINUTE)
  expect(world.trySend(api, web, draft).kind).toBe('sent')
})

test('a send to a peer that does not exist throws and leaves nothing behind', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const draft = { idempotencyKey: 'one', body: 'hello' }
  expect(() => world.trySend(api, [web, 'p_nobody'], draft)).toThrow('FOREIGN KEY')
  expect(world.database.mailbox.hasMail(web)).toBe(false)
  expect(world.trySend(api, web, draft).kind).toBe('sent')
})

test('what was never offered can be retracted, and is not delivered', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const id = world.send(api, web)
  world.advance(7)
  expect(world.retract(api, id)).toMatchObject([{ state: 'retracted', settledAt: world.clock.now }])
  expect(world.consume(web).messages).toEqual([])
  world.advance(7)
  expect(world.retract(api, id)).toMatchObject([{ state: 'retracted', settledAt: world.clock.now - 7 }])
})

test('only the sender can retract', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const id = world.send(api, web)
  expect(world.retract(web, id)).toMatchObject([{ state: 'queued' }])
  expect(world.consume(web).messages).toHaveLength(1)
})

test('what is on offer or delivered is not retracted', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const id = world.send(api, web)
  const offer = world.consume(web)
  expect(world.retract(api, id)).toMatchObject([{ state: 'offered' }])
  world.acknowledge(web, offer)
  expect(world.retract(api, id)).toMatchObject([{ state: 'delivered' }])
})

// It may have been read: "retracted" would be a lie when its acknowledgement arrives after all.
test('what was offered before and waits again is not retracted', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const id = world.send(api, web)
  const offer = world.consume(web)
  world.advance(LEASE_MS)
  world.sweep()
  expect(world.retract(api, id)).toMatchObject([{ state: 'queued', attempts: 1 }])
  expect(world.acknowledge(web, offer)).toBe(1)
  expect(world.receipt(id).state).toBe('delivered')
})

test('a retraction takes back from those recipients that were not reached yet', () => {
  using world = openWorld()
  const [api, web, cli] = [world.join('api'), world.join('web'), world.join('cli')]
  const id = world.send(api, [web, cli])
  world.acknowledge(web, world.consume(web))
  const states = world.retract(api, id).map((one) => [one.recipientId, one.state])
  expect(Object.fromEntries(states)).toEqual({ [web]: 'delivered', [cli]: 'retracted' })
})

test('a message that is not there has no receipts and cannot be retracted', () => {
  using world = openWorld()
  const api = world.join('api')
  expect(world.database.messages.receipts(42)).toEqual([])
  expect(world.retract(api, 42)).toEqual([])
})

test('another text with the digest of one that was said is no repetition', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const [one, other] = ['plumless', 'buckeroo']
  expect(toDigest(one)).toBe(toDigest(other))
  expect(world.trySend(api, web, { body: one }).kind).toBe('sent')
  expect(world.trySend(api, web, { body: other }).kind).toBe('sent')
  expect(world.trySend(api, web, { body: one }).kind).toBe('repetition')
})

test('the same text to the same peer within a minute is refused; later it is not', () => {
  using world = openWorld()
  const [api, web, cli] = [world.join('api'), world.join('web'), world.join('cli')]
  const first = world.send(api, web, 'thanks!')
  const again = (to: string | string[], changes = {}) =>
    world.trySend(api, to, { body: 'thanks!', ...changes })
  const refused = { kind: 'repetition', recipientId: web, messageId: first }
  expect(again(web)).toEqual(refused)
  expect(again(web, { replyTo: first, urgency: 'fyi' })).toEqual(refused)
  expect(again([cli, web])).toEqual(refused)
  expect(world.database.mailbox.hasMail(cli)).toBe(false)
  expect(again(cli).kind).toBe('sent')
  expect(again(web, { body: 'thanks!!' }).kind).toBe('sent')
  expect(world.trySend(web, api, { body: 'thanks!' }).kind).toBe('sent')
  world.advance(MINUTE - 1)
  expect(again(web)).toEqual(refused)
  world.advance(1)
  expect(again(web).kind).toBe('sent')
})

test('the same short answer settles each of several questions, once', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const ask = (body: string) => world.send(web, api, { body, replyWithin: MINUTE })
  const answer = (replyTo: number, changes = {}) =>
    world.trySend(api, web, { body: 'Yes.', replyTo, ...changes })
  const [one, other, taken] = [ask('may I?'), ask('and that?'), ask('and more?')]
  const plain = world.send(web, api, 'by the way')
  world.retract(web, taken)
  expect(answer(one).kind).toBe('sent')
  const second = answer(other)
  expect(second.kind).toBe('sent')
  for (const closed of [one, other, taken, plain])
    expect(answer(closed)).toMatchObject({ kind: 'repetition' })
  if (second.kind === 'sent') world.retract(api, second.messageId)
  expect(answer(other).kind).toBe('sent')
})

test('a question of somebody else opens nothing, nor does one to somebody else', () => {
  using world = openWorld()
  const [api, web, cli] = [world.join('api'), world.join('web'), world.join('cli')]
  const first = world.send(api, web, 'Yes.')
  const ofOther = world.send(cli, api, { replyWithin: MINUTE })
  const toOther = world.send(web, cli, { replyWithin: MINUTE })
  for (const replyTo of [ofOther, toOther])
    expect(world.trySend(api, web, { body: 'Yes.', replyTo })).toMatchObject({ messageId: first })
})

test.each<[string, Partial<Draft>]>([
  ['plain answers', {}],
  ['answers that ask again', { replyWithin: MINUTE }],
])('two sessions that say the same to each other stop: %s', (_, changes) => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const ask = world.send(api, web, { body: 'ok', replyWithin: MINUTE })
  const answer = world.send(web, api, { body: 'ok', replyTo: ask, ...changes })
  expect(world.trySend(api, web, { body: 'ok', replyTo: answer, ...changes }).kind).toBe('repetition')
})

test('what was taken back may be said again at once', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  world.retract(api, world.send(api, web, 'hello'))
  expect(world.trySend(api, web, { body: 'hello' }).kind).toBe('sent')
})

test('a message has 1 to 50 recipients', () => {
  using world = openWorld()
  const api = world.join('api')
  const others = Array.from({ length: 51 }, (_, index) => world.join(`other-${index}`))
  expect(world.trySend(api, others)).toEqual({ kind: 'too-many', count: 51 })
  expect(world.trySend(api, [])).toEqual({ kind: 'nobody', count: 0 })
  expect(world.trySend(api, others.slice(1)).kind).toBe('sent')
})

test('the same key to everybody is the same message, whoever has come or gone since', () => {
  using world = openWorld()
  const [api, web, cli] = [world.join('api'), world.join('web'), world.join('cli')]
  const draft = { idempotencyKey: 'one', body: 'hello', scope: 'machine' } as const
  const id = world.send(api, [web], draft)
  for (const recipients of [[web, cli], [cli], []]) {
    expect(world.trySend(api, recipients, draft)).toEqual({ kind: 'repeated', messageId: id })
  }
  expect(world.trySend(api, [web], { ...draft, scope: 'repo' })).toEqual({
    kind: 'key-reused',
    messageId: id,
  })
  expect(world.trySend(api, [web], { ...draft, scope: undefined }).kind).toBe('key-reused')
})

test('a key that comes again with another time for the answer is refused', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const draft = { idempotencyKey: 'one', body: 'hello', replyWithin: MINUTE }
  const id = world.send(api, web, draft)
  world.advance(5 * SECOND)
  expect(world.trySend(api, web, draft)).toEqual({ kind: 'repeated', messageId: id })
  expect(world.trySend(api, web, { ...draft, replyWithin: 2 * MINUTE }).kind).toBe('key-reused')
  expect(world.trySend(api, web, { ...draft, replyWithin: undefined }).kind).toBe('key-reused')
})
