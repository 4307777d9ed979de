import {
  array,
  check,
  boolean,
  constant,
  constantFrom,
  integer,
  nat,
  oneof,
  record,
  uniqueArray,
  defaultReportMessage,
  property,
  type Arbitrary,
} from 'fast-check'
import { expect, test } from 'vitest'
import { LEASE_MS, MESSAGE_TTL_MS } from '../../lib/db/limits.ts'
import type { Offer } from '../../lib/db/mailbox.ts'
import { HOUR, openWorld, SECOND, type World } from './harness.ts'
import { createModel, type Model } from './mailbox-model.ts'

const SENDERS = 3
const RECIPIENTS = 2

type Action =
  | { do: 'send'; from: number; to: number[]; chars: number; fyi: boolean }
  | { do: 'consume'; to: number; budget: number; skipIfOnlyFyi: boolean }
  | { do: 'acknowledge' | 'release'; offer: number }
  | { do: 'retract' | 'confirm'; message: number }
  | { do: 'advance'; ms: number }
  | { do: 'sweep' }

const recipient = nat(RECIPIENTS - 1)
/** Often a late one: chosen from the end of what there is so far. */
const recent = nat(4)
const action: Arbitrary<Action> = oneof(
  {
    weight: 6,
    arbitrary: record({
      do: constant('send' as const),
      from: nat(SENDERS - 1),
      to: uniqueArray(recipient, { minLength: 1 }),
      chars: integer({ min: 1, max: 12 }),
      fyi: boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: record({
      do: constant('consume' as const),
      to: recipient,
      budget: integer({ min: 1, max: 40 }),
      skipIfOnlyFyi: boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: record({ do: constantFrom('acknowledge' as const, 'release' as const), offer: recent }),
  },
  {
    weight: 2,
    arbitrary: record({ do: constantFrom('retract' as const, 'confirm' as const), message: recent }),
  },
  {
    weight: 3,
    arbitrary: record({
      do: constant('advance' as const),
      ms: constantFrom(1, SECOND, LEASE_MS - 1, LEASE_MS, HOUR, MESSAGE_TTL_MS / 2),
    }),
  },
  { weight: 1, arbitrary: record({ do: constant('sweep' as const) }) },
)

test('in any order of sending, offering, acknowledging, giving and taking back, no mail is lost or repeated in silence', () => {
  const holds = property(array(action, { minLength: 1, maxLength: 60 }), (actions) => {
    using world = openWorld()
    const run = createRun(world)
    for (const one of actions) {
      run.act(one)
      run.check()
    }
    run.drain()
  })
  const outcome = check(holds, { numRuns: 60, interruptAfterTimeLimit: 5_000 })
  expect(outcome.failed ? defaultReportMessage(outcome) : 'holds').toBe('holds')
})

/** One database and the model beside it; every action goes to both. */
function createRun(world: World) {
  const senders = Array.from({ length: SENDERS }, (_, number) => world.join(`sender-${number}`))
  const recipients = Array.from({ length: RECIPIENTS }, (_, number) => world.join(`recipient-${number}`))
  const model: Model = createModel(() => world.clock.now)
  const offers: { to: string; offer: Offer }[] = []
  const sent: { id: number; from: string }[] = []
  const known = new Map<string, { rank: number; attempts: number; changedSeq: number }>()

  function consume(to: string, budget: number, skipIfOnlyFyi: boolean): Offer {
    const expected = model.consume(to, budget, skipIfOnlyFyi)
    const offer = world.consume(to, { budget, skipIfOnlyFyi })
    expect(offer.messages.map((mail) => mail.id)).toEqual(expected.map((one) => one.id))
    expect(offer.messages.map((mail) => mail.attempts)).toEqual(expected.map((one) => one.attempts))
    expect(offer.remaining).toBe(model.count(to, 'queued'))
    if (offer.offerId) {
      model.name(expected, offer.offerId)
      offers.push({ to, offer })
    }
    return offer
  }

  function act(one: Action): void {
    switch (one.do) {
      case 'send': {
        const from = senders[one.from]!
        const to = one.to.map((number) => recipients[number]!)
        const urgency = one.fyi ? 'fyi' : 'normal'
        // No text twice: a repetition within a minute would be refused.
        const body = String(sent.length).padEnd(one.chars, 'x')
        const id = world.send(from, to, { body, urgency })
        sent.push({ id, from })
        model.send({ id, from, to, chars: body.length, urgency })
        break
      }
      case 'consume':
        consume(recipients[one.to]!, one.budget, one.skipIfOnlyFyi)
        break
      case 'acknowledge':
      case 'release': {
        const open = offers.at(-1 - one.offer)
        if (open) expect(world[one.do](open.to, open.offer)).toBe(model[one.do](open.to, open.offer.offerId!))
        break
      }
      case 'retract':
      case 'confirm': {
        const message = sent.at(-1 - one.message)
        if (!message) break
        if (one.do === 'retract') {
          world.retract(message.from, message.id)
          model.retract(message.id)
        } else {
          for (const to of recipients)
            expect(world.confirm(to, [message.id])).toBe(model.confirm(to, message.id))
        }
        break
      }
      case 'advance':
        world.advance(one.ms)
        break
      case 'sweep': {
        const { requeued, expired } = world.sweep()
        expect({ requeued, expired }).toEqual(model.sweep())
        break
      }
    }
  }

  return {
    act,
    /** What holds after every action, whatever it was. */
    check() {
      const rows = world.database.messages.history({ before: Number.MAX_SAFE_INTEGER, limit: 1_000 })
      const seen = rows.map((row) => ({
        id: row.messageId,
        to: row.recipientId,
        state: row.state,
        attempts: row.attempts,
      }))
      expect(new Set(seen.map((row) => JSON.stringify(row)))).toEqual(
        new Set(model.rows().map((row) => JSON.stringify(row))),
      )
      for (const row of rows) {
        const key = `${row.messageId} ${row.recipientId}`
        const before = known.get(key)
        const now = { rank: RANK[row.state], attempts: row.attempts, changedSeq: row.changedSeq }
        if (before && before.changedSeq !== now.changedSeq) {
          expect(now.changedSeq).toBeGreaterThan(before.changedSeq)
          expect(now.rank).toBeGreaterThanOrEqual(before.rank)
          expect(before.rank, 'what ended stays as it ended').toBeLessThan(RANK.read)
          expect(now.attempts).toBeGreaterThanOrEqual(before.attempts)
        }
        known.set(key, now)
      }
      for (const to of recipients) {
        expect(world.database.peers.get(to)?.waiting).toBe(
          model.count(to, 'queued') + model.count(to, 'offered'),
        )
      }
      expect(model.brokenOrder()).toEqual([])
    },
    /** Everything that still waits reaches its reader in the end. */
    drain() {
      world.advance(LEASE_MS)
      act({ do: 'sweep' })
      for (const to of recipients) {
        for (let offer = consume(to, 30, false); offer.offerId; offer = consume(to, 30, false)) {
          expect(world.acknowledge(to, offer)).toBe(model.acknowledge(to, offer.offerId))
        }
      }
      const left = model.rows().filter(({ state }) => state === 'queued' || state === 'offered')
      expect(left).toEqual([])
      const { queued, offered } = world.database.messages.counts()
      expect({ queued, offered }).toEqual({ queued: 0, offered: 0 })
    },
  }
}

/** How far a receipt has come; it never goes back. */
const RANK = { queued: 0, offered: 0, delivered: 1, read: 2, expired: 2, retracted: 2 } as const
