import { expect, test } from 'vitest'
import { LEASE_MS, MESSAGE_TTL_MS } from '../../lib/db/limits.ts'
import { openWorld } from './harness.ts'

test('a recipient can read again what it was offered, and nobody else can', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const id = world.send(api, web, 'hello')
  world.acknowledge(web, world.consume(web))
  const { messages } = world.database
  expect(messages.received(web, id)?.body).toBe('hello')
  expect(messages.received(api, id)).toBeUndefined()
})

// Else it would enter a context while its receipt says queued, or although it was taken back.
test('a recipient cannot read what it was never offered', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const [queued, retracted] = [world.send(api, web), world.send(api, web)]
  world.retract(api, retracted)
  const { messages } = world.database
  expect([messages.received(web, queued), messages.received(web, retracted)]).toEqual([undefined, undefined])
  world.consume(web)
  expect(messages.received(web, queued)?.id).toBe(queued)
  world.advance(LEASE_MS)
  world.sweep()
  expect(messages.received(web, queued)?.id).toBe(queued)
})

test('history shows the newest messages first, and of one peer what it sent and got', () => {
  using world = openWorld()
  const [api, web, cli] = [world.join('api'), world.join('web'), world.join('cli')]
  const sent = [world.send(api, web), world.send(web, cli), world.send(cli, api), world.send(web, api)]
  const { messages } = world.database
  const all = messages.history({ before: Number.MAX_SAFE_INTEGER, limit: 10 })
  expect(all.map((one) => one.messageId)).toEqual(sent.toReversed())
  const ofApi = messages.historyOf({ peerId: api, before: Number.MAX_SAFE_INTEGER, limit: 10 })
  expect(ofApi.map((one) => one.messageId)).toEqual([sent[3], sent[2], sent[0]])
  expect(messages.historyOf({ peerId: api, before: sent[2]!, limit: 10 })).toHaveLength(1)
})

test('a page of history ends between two messages, never between the recipients of one', () => {
  using world = openWorld()
  const [api, web, cli, ops] = ['api', 'web', 'cli', 'ops'].map((name) => world.join(name)) as [
    string,
    string,
    string,
    string,
  ]
  for (let count = 0; count < 5; count++) world.send(api, [web, cli, ops])
  const { messages } = world.database
  for (const read of [
    (before: number) => messages.history({ before, limit: 2 }),
    (before: number) => messages.historyOf({ peerId: api, before, limit: 2 }),
  ]) {
    const seen: string[] = []
    for (let page = read(Number.MAX_SAFE_INTEGER); page.length > 0; page = read(page.at(-1)!.messageId)) {
      seen.push(...page.map((one) => `${one.messageId} ${one.recipientId}`))
    }
    expect(new Set(seen).size).toBe(15)
    expect(seen).toHaveLength(15)
  }
})

test('history of one peer shows no receipts between others', () => {
  using world = openWorld()
  const [api, web, cli] = [world.join('api'), world.join('web'), world.join('cli')]
  world.send(api, [web, cli])
  const { messages } = world.database
  const read = (peerId: string) => messages.historyOf({ peerId, before: Number.MAX_SAFE_INTEGER, limit: 10 })
  expect(read(web).map((one) => one.recipientId)).toEqual([web])
  expect(
    read(api)
      .map((one) => one.recipientId)
      .toSorted(),
  ).toEqual([cli, web].toSorted())
})

test('a receipt carries the beginning of what was said, cut between characters', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  const short = world.send(api, web, 'hello')
  const long = world.send(api, web, '🚪'.repeat(10_000))
  expect(world.receipt(short)).toMatchObject({ excerpt: 'hello', chars: 5 })
  expect(world.receipt(long)).toMatchObject({ excerpt: '🚪'.repeat(200), chars: 20_000 })
})

test('the stages are counted', () => {
  using world = openWorld()
  const [api, web] = [world.join('api'), world.join('web')]
  expect(world.database.messages.counts()).toEqual({ queued: 0, offered: 0, settled: 0 })
  world.send(api, web)
  world.acknowledge(web, world.consume(web))
  world.retract(api, world.send(api, web))
  world.send(api, web)
  world.advance(MESSAGE_TTL_MS)
  world.sweep()
  world.send(api, web)
  world.consume(web)
  world.send(api, web)
  // The other is the note to the sender of what expired.
  expect(world.database.messages.counts()).toEqual({ queued: 2, offered: 1, settled: 3 })
})
