import { array, assert, constantFrom, nat, oneof, property, record } from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { mailboxTopic } from '../../lib/db/bell.ts'
import { createUntold, type Untold } from '../../lib/router/untold.ts'
import { openWorld } from '../db/harness.ts'

/** A sender with some recipients, and what a follower of its mailbox was told last of each of its deliveries. */
function openFollowed() {
  const world = openWorld()
  const { database } = world
  const api = world.join('api')
  const recipients = ['web', 'cli', 'docs'].map((name) => world.join(name))
  const told = new Map<string, number>()
  const start = database.lastSeq()
  let cursor = start
  let untold: Untold
  let unhear: () => void = () => undefined

  /** Follows from where it was told of last, as after a connection that broke. */
  function follow() {
    unhear()
    untold = createUntold(database, api, cursor)
    unhear = database.bell.hear(mailboxTopic(api), untold.hear)
  }

  function take(limit: number): boolean {
    const { changes, more } = untold.take(limit)
    expect(changes.length).toBeLessThanOrEqual(limit)
    for (const { messageId, recipientId, changedSeq } of changes) {
      expect(changedSeq).toBeGreaterThan(cursor)
      // What the follower resumes after.
      cursor = changedSeq
      told.set(`${messageId} ${recipientId}`, rowOf(messageId, recipientId))
    }
    expect(untold.cursor()).toBe(cursor)
    return more
  }

  const rowOf = (messageId: number, recipientId: string): number => {
    const [row] = database.messages.receiptsOf([{ messageId, recipientId }])
    return row!.changedSeq
  }

  const rows = () =>
    database.sqlite
      .prepare(
        'select message_id, recipient_id, changed_seq from deliveries where sender_id = ? and changed_seq > ?',
      )
      .all(api, start) as { message_id: number; recipient_id: string; changed_seq: number }[]

  follow()
  return {
    ...world,
    api,
    recipients,
    told,
    follow,
    take,
    takeAll() {
      while (take(25));
    },
    /** What each delivery of the sender should have been told with. */
    expected: () =>
      new Map(rows().map((row) => [`${row.message_id} ${row.recipient_id}`, row.changed_seq] as const)),
  }
}

/** Many messages in one commit, past the limit of a pair in a minute. */
function sendMany(followed: ReturnType<typeof openFollowed>, count: number) {
  for (let sent = 0; sent < count; sent += 50) {
    followed.advance(60_000)
    for (let one = sent; one < Math.min(count, sent + 50); one++)
      followed.send(followed.api, followed.recipients[0]!)
    followed.acknowledge(followed.recipients[0]!, followed.consume(followed.recipients[0]!, { budget: 1e6 }))
  }
}

describe('what a sender was not told of', () => {
  test('is what has just changed, without a look for it', () => {
    using followed = openFollowed()
    followed.takeAll()
    const looked = vi.spyOn(followed.database.messages, 'sentSince')
    for (let round = 0; round < 5; round++) {
      followed.send(followed.api, followed.recipients)
      followed.takeAll()
      expect(followed.told).toEqual(followed.expected())
    }
    expect(looked).not.toHaveBeenCalled()
  })

  test('is told whole to who fell behind by more than is kept', () => {
    using followed = openFollowed()
    followed.takeAll()
    sendMany(followed, 300)
    followed.takeAll()
    expect(followed.told).toEqual(followed.expected())
    expect(followed.told.size).toBe(300)
  })

  test('is told whole to who comes back after more changes than are looked through', () => {
    using followed = openFollowed()
    followed.takeAll()
    sendMany(followed, 700)
    followed.follow()
    const looked = vi.spyOn(followed.database.messages, 'sentSince')
    followed.takeAll()
    expect(followed.told).toEqual(followed.expected())
    // At once, and not a page at a time.
    expect(looked).toHaveBeenCalledTimes(1)
  })

  test('is never what others sent, nor a note of the network', () => {
    using followed = openFollowed()
    const { api, recipients } = followed
    followed.takeAll()
    followed.send(recipients[0]!, [api, recipients[1]!])
    const asked = followed.send(api, recipients[0]!, { replyWithin: 60_000 })
    followed.takeAll()
    followed.advance(60_000)
    expect(followed.sweep()).toMatchObject({ overdue: 1 })
    followed.takeAll()
    expect([...followed.told.keys()]).toEqual([`${asked} ${recipients[0]}`])
    followed.follow()
    followed.takeAll()
    expect([...followed.told.keys()]).toEqual([`${asked} ${recipients[0]}`])
  })

  test('is missed in no order of sends, answers, looks and new connections', () => {
    const action = oneof(
      { weight: 4, arbitrary: record({ kind: constantFrom('send' as const), to: nat(2) }) },
      { weight: 3, arbitrary: record({ kind: constantFrom('settle' as const), to: nat(2) }) },
      { weight: 3, arbitrary: record({ kind: constantFrom('take' as const), to: nat(3) }) },
      record({ kind: constantFrom('follow' as const), to: nat(0) }),
      record({ kind: constantFrom('many' as const), to: nat(300) }),
    )
    const holds = property(array(action, { maxLength: 30, size: 'max' }), (actions) => {
      using followed = openFollowed()
      const { api, recipients } = followed
      for (const { kind, to } of actions) {
        if (kind === 'send') followed.send(api, [recipients[to]!, recipients[(to + 1) % 3]!])
        if (kind === 'settle') followed.acknowledge(recipients[to]!, followed.consume(recipients[to]!))
        if (kind === 'take') followed.take(1 + to)
        if (kind === 'follow') followed.follow()
        if (kind === 'many') sendMany(followed, to)
        followed.advance(2_000)
      }
      followed.takeAll()
      expect(followed.told).toEqual(followed.expected())
    })
    assert(holds, { numRuns: 40 })
  })
})
