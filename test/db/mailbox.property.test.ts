import { array, check, defaultReportMessage, property } from 'fast-check'
import { expect, test } from 'vitest'
import { LEASE_MS } from '../../lib/db/limits.ts'
import type { Mail } from '../../lib/db/mail-rows.ts'
import type { Offer, Requeue } from '../../lib/db/mailbox.ts'
import type { Draft } from '../../lib/db/messages.ts'
import type { Receipt } from '../../lib/db/receipt-rows.ts'
import { toMail } from '../../lib/router/views.ts'
import { makeDirectory, MEMORY, openFileWorld, type World } from './harness.ts'
import { action, RECIPIENTS, SENDERS, type Action } from './mailbox-actions.ts'
import { createModel, type Model } from './mailbox-model.ts'
import { openRecipient } from './recipient.ts'

test('in any order of what senders, readers, their transcripts and sessions, and the hub do, no mail is lost or repeated in silence', () => {
  const holds = property(array(action, { minLength: 1, maxLength: 60, size: 'max' }), (actions) => {
    using directory = makeDirectory(MEMORY)
    using world = openFileWorld(directory.file)
    const run = createRun(world)
    for (const one of actions) {
      run.act(one)
      run.check()
    }
    run.drain()
  })
  const outcome = check(holds, { numRuns: 80, interruptAfterTimeLimit: 20_000 })
  expect(outcome.failed ? defaultReportMessage(outcome) : 'holds').toBe('holds')
}, 60_000)

/** One database and the model beside it; every action goes to both. */
function createRun(world: World) {
  const senders = Array.from({ length: SENDERS }, (_, number) => world.join(`sender-${number}`))
  const readers = Array.from({ length: RECIPIENTS }, (_, number) =>
    openRecipient(world, `recipient-${number}`),
  )
  const recipients = readers.map(({ id }) => id)
  const model: Model = createModel(() => world.clock.now)
  const offers: { to: string; offer: Offer }[] = []
  const sent: { id: number; from: string; to: string[]; draft: Partial<Draft> }[] = []
  const shown = new Set<string>()
  const taken = new Map<string, Requeue>()
  const known = new Map<string, { rank: number; attempts: number; changedSeq: number }>()

  function consume(to: string, budget: number, skipIfOnlyFyi: boolean): Offer {
    const expected = model.consume(to, budget, skipIfOnlyFyi)
    const offer = world.consume(to, { budget, skipIfOnlyFyi })
    expect(offer.messages.map((mail) => mail.id)).toEqual(expected.map((one) => one.id))
    expect(offer.messages.map((mail) => mail.attempts)).toEqual(expected.map((one) => one.attempts))
    expect(offer.remaining).toBe(model.count(to, 'queued'))
    for (const mail of offer.messages) show(to, mail)
    if (offer.offerId) {
      model.name(expected, offer.offerId)
      offers.push({ to, offer })
    }
    return offer
  }

  const all = () => world.database.messages.history({ before: Number.MAX_SAFE_INTEGER, limit: 1_000 })
  const notes = () => all().filter(({ kind }) => kind === 'note')

  /** The sender has a note of each message that expired, at most one for each time that it did, and of no other. */
  function checkNotes(rows: Receipt[]) {
    const expired = rows.filter(({ state }) => state === 'expired').map(({ messageId }) => messageId)
    const told = notes().map(({ replyTo }) => replyTo)
    expect(new Set(told)).toEqual(new Set(expired))
    expect(told.length).toBeLessThanOrEqual(expired.length)
  }

  /** What a reader may have seen before says so. */
  function show(to: string, mail: Mail) {
    const key = `${mail.id} ${to}`
    expect(toMail(mail).again || !shown.has(key), `message ${key} comes again without its mark`).toBe(true)
    shown.add(key)
  }

  /** Whether the reader was shown it that one time alone. */
  const seenOnce = (key: string) =>
    model.rows().some(({ id, to, attempts }) => `${id} ${to}` === key && attempts === 0)

  function act(one: Action): void {
    switch (one.do) {
      case 'send': {
        const from = senders[one.from]!
        const to = one.to.map((number) => recipients[number]!)
        const urgency = one.fyi ? 'fyi' : 'normal'
        // No text twice: a repetition within a minute would be refused.
        const body = String(sent.length).padEnd(one.chars, 'x')
        const draft = { body, urgency, idempotencyKey: `sent-${sent.length}` } as const
        const id = world.send(from, to, draft)
        sent.push({ id, from, to, draft })
        model.send({ id, from, to, chars: body.length, urgency })
        break
      }
      case 'repeat': {
        const message = sent.at(-1 - one.message)
        if (!message) break
        const body = one.changed ? 'something else' : message.draft.body!
        const answer = world.trySend(message.from, message.to, { ...message.draft, body })
        expect(answer).toEqual({ kind: one.changed ? 'key-reused' : 'repeated', messageId: message.id })
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
      case 'requeue': {
        const message = sent.at(-1 - one.message)
        if (!message) break
        for (const to of recipients) {
          const count = model.requeue(to, message.id, one.why)
          expect(world.requeue(to, [message.id], one.why)).toBe(count)
          if (count === 0) continue
          taken.set(`${message.id} ${to}`, one.why)
          // Its model saw nothing of it that time.
          if (one.why === 'unseen' && seenOnce(`${message.id} ${to}`)) shown.delete(`${message.id} ${to}`)
        }
        break
      }
      case 'advance':
        world.advance(one.ms)
        break
      case 'sweep': {
        const over = notes().filter((one) => one.state === 'queued' && one.expiresAt <= world.clock.now)
        const { requeued, expired } = world.sweep()
        expect({ requeued, expired: expired - over.length }).toEqual(model.sweep())
        break
      }
      case 'restart':
        world.restart()
        break
      case 'crash':
        if (one.asked) ask(world, senders[0]!, recipients[0]!)
        world.crash()
        break
      case 'clear':
      case 'reconnect':
      case 'resume':
      case 'succeed':
        readers[one.to]!.change(one.do)
        break
    }
  }

  return {
    act,
    /** What holds after every action, whatever it was. */
    check() {
      const rows = all().filter(({ kind }) => kind === 'message')
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
          // Only mail that was taken back goes a step back.
          const back = before.rank === RANK.delivered && now.rank === RANK.queued ? taken.get(key) : undefined
          if (back === undefined) expect(now.rank).toBeGreaterThanOrEqual(before.rank)
          expect(before.rank, 'what ended stays as it ended').toBeLessThan(RANK.read)
          expect(now.attempts).toBeGreaterThanOrEqual(before.attempts - Number(back === 'unseen'))
        }
        known.set(key, now)
      }
      const total = { queued: 0, offered: 0 }
      for (const to of recipients) {
        const [queued, offered] = [model.count(to, 'queued'), model.count(to, 'offered')]
        expect(world.database.peers.get(to)?.waiting).toBe(queued + offered)
        expect(world.database.mailbox.queued(to)).toBe(queued)
        expect(world.database.mailbox.urgent(to)).toBe(model.urgent(to))
        total.queued += queued
        total.offered += offered
      }
      checkNotes(rows)
      for (const { state } of notes()) if (state === 'queued') total.queued++
      const settled = all().length - total.queued - total.offered
      expect(world.database.messages.counts()).toEqual({ ...total, settled })
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
      const waiting = notes().filter(({ state }) => state === 'queued').length
      expect({ queued, offered }).toEqual({ queued: waiting, offered: 0 })
    },
  }
}

/** Asks for a send that a kill comes before: it was never answered, and nothing of it is there. */
function ask({ database }: World, senderId: string, recipientId: string) {
  const draft = {
    senderId,
    recipientIds: [recipientId],
    idempotencyKey: 'never-answered',
    body: 'never said',
  }
  void database.queue.run(() => database.messages.send({ ...draft, urgency: 'normal' }))
}

/** How far a receipt has come; it goes back only for mail that was taken back. */
const RANK = { queued: 0, offered: 0, delivered: 1, read: 2, expired: 2, retracted: 2 } as const
