import { describe, expect, test } from 'vitest'
import { MESSAGE_TTL_MS, REQUEUED_TTL_MS } from '../../lib/db/limits.ts'
import { draft, openRouter, type Caller } from '../harness/router.ts'

const LEASE_MS = 30_000

async function openPair() {
  const router = openRouter()
  return { ...router, web: await router.seat('web'), api: await router.seat('api') }
}

describe('mailbox.consume', () => {
  test('offers what waits, with what the reader needs to know', async () => {
    const { web, api, time } = await openPair()
    const { messageId } = await web.caller.messages.send({ ...draft('api', 'hello'), urgency: 'fyi' })
    expect(await api.caller.mailbox.consume({ budget: 1_000 })).toEqual({
      offerId: expect.any(String),
      remaining: 0,
      messages: [
        {
          id: messageId,
          kind: 'message',
          from: 'web@laptop',
          directory: '/src/web',
          text: 'hello',
          urgency: 'fyi',
          replyTo: null,
          answers: null,
          replyBy: null,
          scope: null,
          sentAt: time.now,
          again: false,
          forPrevious: false,
        },
      ],
    })
  })

  test('has no offer when nothing waits', async () => {
    const { api } = await openPair()
    expect(await api.caller.mailbox.consume({ budget: 1_000 })).toEqual({
      offerId: null,
      messages: [],
      remaining: 0,
    })
  })

  test('offers a message to one of many callers', async () => {
    const { web, api } = await openPair()
    await web.caller.messages.send(draft('api'))
    const offers = await Promise.all([1, 2, 3, 4].map(() => api.caller.mailbox.consume({ budget: 1_000 })))
    expect(offers.filter((offer) => offer.offerId !== null)).toHaveLength(1)
    expect(offers.flatMap((offer) => offer.messages)).toHaveLength(1)
  })

  test('leaves fyi mail alone when asked to, unless other mail waits too', async () => {
    const { web, api } = await openPair()
    await web.caller.messages.send({ ...draft('api', 'by the way'), urgency: 'fyi' })
    const options = { budget: 1_000, skipIfOnlyFyi: true }
    expect(await api.caller.mailbox.consume(options)).toMatchObject({ offerId: null, remaining: 1 })
    await web.caller.messages.send(draft('api', 'now'))
    expect((await api.caller.mailbox.consume(options)).messages.map((mail) => mail.text)).toEqual([
      'by the way',
      'now',
    ])
  })

  test('stays within the budget, and says how much is left', async () => {
    const { web, api } = await openPair()
    for (const text of ['a', 'b', 'c']) await web.caller.messages.send(draft('api', text.repeat(40)))
    const offer = await api.caller.mailbox.consume({ budget: 100, overhead: 10 })
    expect(offer.messages.map((mail) => mail.text[0])).toEqual(['a', 'b'])
    expect(offer.remaining).toBe(1)
  })

  test('offers again what nobody acknowledged, and says that it may have been seen', async () => {
    const { web, api, time } = await openPair()
    await web.caller.messages.send(draft('api'))
    const first = await api.caller.mailbox.consume({ budget: 1_000 })
    expect((await api.caller.mailbox.consume({ budget: 1_000 })).messages).toEqual([])
    time.now += LEASE_MS
    const second = await api.caller.mailbox.consume({ budget: 1_000 })
    expect(second.messages).toMatchObject([{ id: first.messages[0]!.id, again: true }])
    expect(second.offerId).not.toBe(first.offerId)
  })

  test('tells a successor which mail was meant for the session before it', async () => {
    const { web, api, seat, running, time } = await openPair()
    await web.caller.messages.send(draft('api', 'old'))
    running.set(api.id, false)
    time.now += 1_000
    const next = await seat('api')
    await web.caller.messages.send(draft('api', 'new'))
    const { messages } = await next.caller.mailbox.consume({ budget: 1_000 })
    expect(messages.map((mail) => [mail.text, mail.forPrevious])).toEqual([
      ['old', true],
      ['new', false],
    ])
  })

  test.each([{ budget: 0 }, { budget: 1.5 }, { budget: 10, overhead: -1 }, { budget: Number.NaN }])(
    'refuses %o',
    async (options) => {
      const { api } = await openPair()
      await expect(api.caller.mailbox.consume(options)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    },
  )
})

describe('an offer', () => {
  async function openOffer() {
    const pair = await openPair()
    const { messageId } = await pair.web.caller.messages.send(draft('api'))
    const { offerId } = await pair.api.caller.mailbox.consume({ budget: 1_000 })
    const state = async () => (await pair.web.caller.messages.status({ messageId })).recipients[0]!.state
    return { ...pair, messageId, offerId: offerId!, state }
  }

  test('that is acknowledged is delivered, once', async () => {
    const { api, offerId, state } = await openOffer()
    expect(await api.caller.mailbox.ack({ offerId })).toEqual({ settled: 1, remaining: 0 })
    expect(await state()).toBe('delivered')
    expect(await api.caller.mailbox.ack({ offerId })).toEqual({ settled: 0, remaining: 0 })
  })

  test('that is given back waits again at once', async () => {
    const { api, offerId, state } = await openOffer()
    expect(await api.caller.mailbox.release({ offerId })).toEqual({ settled: 1, remaining: 1 })
    expect(await state()).toBe('queued')
    expect((await api.caller.mailbox.consume({ budget: 1_000 })).messages).toHaveLength(1)
  })

  test('is not the business of any other mailbox', async () => {
    const { web, seat, offerId, state } = await openOffer()
    const spy = await seat('spy')
    for (const { caller } of [web, spy]) {
      expect(await caller.mailbox.ack({ offerId })).toMatchObject({ settled: 0 })
      expect(await caller.mailbox.release({ offerId })).toMatchObject({ settled: 0 })
    }
    expect(await state()).toBe('offered')
  })

  test('that nobody made settles nothing', async () => {
    const { api } = await openPair()
    expect(await api.caller.mailbox.ack({ offerId: 'no-such-offer' })).toEqual({ settled: 0, remaining: 0 })
    await expect(api.caller.mailbox.ack({ offerId: '' })).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  })
})

describe('mailbox.confirm and mailbox.requeue', () => {
  async function openDelivered(count = 1) {
    const pair = await openPair()
    const { web, api } = pair
    const ids: number[] = []
    for (let sent = 0; sent < count; sent++)
      ids.push((await web.caller.messages.send(draft('api'))).messageId)
    const { offerId } = await api.caller.mailbox.consume({ budget: 1_000 })
    await api.caller.mailbox.ack({ offerId: offerId! })
    const receipt = async (messageId = ids[0]!) =>
      (await web.caller.messages.status({ messageId })).recipients[0]!
    return { ...pair, ids, receipt }
  }

  test('confirm makes a batch read, once, and passes over ids that are not there', async () => {
    const { api, time, ids, receipt } = await openDelivered(3)
    time.now += 5_000
    expect(await api.caller.mailbox.confirm({ ids: [...ids, ids[0]!, 4_711] })).toEqual({ settled: 3 })
    const at = { queuedAt: time.now - 5_000, deliveredAt: time.now - 5_000, readAt: time.now }
    expect(await receipt(ids[2])).toMatchObject({ state: 'read', requeuedAt: null, ...at })
    time.now += 5_000
    expect(await api.caller.mailbox.confirm({ ids })).toEqual({ settled: 0 })
    expect(await receipt()).toMatchObject({ readAt: time.now - 5_000 })
  })

  test('the feed of the sender carries the step to read', async () => {
    const { web, api, call, ids } = await openDelivered()
    const leaving = new AbortController()
    const feed = (await call({ key: web.key }, leaving.signal).mailbox.watch())[Symbol.asyncIterator]()
    await feed.next()
    const next = feed.next()
    await api.caller.mailbox.confirm({ ids })
    const { value } = await next
    const [, data] = value as unknown as [string, object]
    expect(data).toMatchObject({ type: 'receipt', receipt: { state: 'read' } })
    leaving.abort()
  })

  test('mail that its reader did not get to waits again, in its place, marked as a possible repeat', async () => {
    const { web, api, time, ids, receipt } = await openDelivered(2)
    time.now += 60_000
    const next = (await web.caller.messages.send(draft('api', 'next'))).messageId
    expect(await api.caller.mailbox.requeue({ ids: [...ids, 4_711], why: 'dropped' })).toEqual({ settled: 2 })
    const waits = { state: 'queued', requeuedAt: time.now, deliveredAt: null, readAt: null, attempts: 1 }
    expect(await receipt()).toMatchObject(waits)
    expect(await api.caller.mailbox.requeue({ ids, why: 'dropped' })).toEqual({ settled: 0 })
    const { messages } = await api.caller.mailbox.consume({ budget: 10_000 })
    expect(messages.map(({ id, again }) => [id, again])).toEqual([
      [ids[0], true],
      [ids[1], true],
      [next, false],
    ])
  })

  test('mail that no model can have seen comes without that mark, and wakes its session thrice at most', async () => {
    const { api, database, ids, receipt } = await openDelivered()
    for (let time = 1; time <= 4; time++) {
      expect(await api.caller.mailbox.requeue({ ids, why: 'unseen' })).toEqual({ settled: 1 })
      expect(await receipt()).toMatchObject({ state: 'queued', attempts: 0 })
      expect(database.mailbox.urgent(api.id)).toBe(time < 3 ? 1 : 0)
      const { offerId, messages } = await api.caller.mailbox.consume({ budget: 1_000 })
      expect(messages).toMatchObject([{ id: ids[0], again: false }])
      await api.caller.mailbox.ack({ offerId: offerId! })
    }
  })

  test('what one session was handed thrice in vain wakes the next one', async () => {
    const { api, database, ids } = await openDelivered()
    for (let time = 1; time <= 3; time++) {
      await api.caller.mailbox.requeue({ ids, why: 'dropped' })
      expect(database.mailbox.urgent(api.id)).toBe(time < 3 ? 1 : 0)
      const { offerId } = await api.caller.mailbox.consume({ budget: 1_000 })
      await api.caller.mailbox.ack({ offerId: offerId! })
    }
    await api.caller.mailbox.requeue({ ids, why: 'ended' })
    expect(database.mailbox.urgent(api.id)).toBe(1)
  })

  test('mail waits another day at least from when it was taken back, and then expires', async () => {
    const { api, time, database, ids, receipt } = await openDelivered()
    time.now += MESSAGE_TTL_MS
    await api.caller.mailbox.requeue({ ids, why: 'ended' })
    await database.queue.run(() => database.sweep())
    expect(await receipt()).toMatchObject({ state: 'queued' })
    time.now += REQUEUED_TTL_MS
    await database.queue.run(() => database.sweep())
    expect(await receipt()).toMatchObject({ state: 'expired' })
  })

  test('a late acknowledgement of the offer that was taken back settles nothing', async () => {
    const { web, api } = await openPair()
    const { messageId } = await web.caller.messages.send(draft('api'))
    const { offerId } = await api.caller.mailbox.consume({ budget: 1_000 })
    await api.caller.mailbox.ack({ offerId: offerId! })
    await api.caller.mailbox.requeue({ ids: [messageId], why: 'dropped' })
    expect(await api.caller.mailbox.ack({ offerId: offerId! })).toEqual({ settled: 0, remaining: 1 })
  })

  test('a proof that comes late makes mail read that waits again', async () => {
    const { api, ids, receipt } = await openDelivered()
    await api.caller.mailbox.requeue({ ids, why: 'ended' })
    expect(await api.caller.mailbox.confirm({ ids })).toEqual({ settled: 1 })
    expect(await api.caller.mailbox.requeue({ ids, why: 'ended' })).toEqual({ settled: 0 })
    expect(await receipt()).toMatchObject({ state: 'read' })
  })

  test('mail that its reader has answered is not taken back', async () => {
    const { api, ids } = await openDelivered()
    await api.caller.messages.send({ ...draft('web'), replyTo: ids[0]! })
    expect(await api.caller.mailbox.requeue({ ids, why: 'ended' })).toEqual({ settled: 0 })
  })

  test('mail that was never offered is neither read nor taken back', async () => {
    const { web, api } = await openPair()
    const { messageId } = await web.caller.messages.send(draft('api'))
    expect(await api.caller.mailbox.confirm({ ids: [messageId] })).toEqual({ settled: 0 })
    expect(await api.caller.mailbox.requeue({ ids: [messageId], why: 'ended' })).toEqual({ settled: 0 })
  })

  test('nobody settles the mail of another mailbox', async () => {
    const { web, seat, ids, receipt } = await openDelivered()
    const spy = await seat('spy')
    for (const { caller } of [web, spy]) {
      expect(await caller.mailbox.confirm({ ids })).toEqual({ settled: 0 })
      expect(await caller.mailbox.requeue({ ids, why: 'ended' })).toEqual({ settled: 0 })
    }
    expect(await receipt()).toMatchObject({ state: 'delivered', requeuedAt: null })
  })

  test.each([{ ids: [] }, { ids: [0] }, { ids: Array.from({ length: 1_001 }, (_, index) => index + 1) }])(
    'refuses %o',
    async (input) => {
      const { api } = await openPair()
      await expect(api.caller.mailbox.confirm(input)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
      await expect(api.caller.mailbox.requeue({ ...input, why: 'ended' })).rejects.toMatchObject({
        code: 'BAD_REQUEST',
      })
    },
  )
})

describe('mailbox.peek and mailbox.read', () => {
  async function openOffered(text: string) {
    const { web, api } = await openPair()
    const { messageId } = await web.caller.messages.send(draft('api', text))
    await api.caller.mailbox.consume({ budget: 1 })
    return { api, messageId }
  }

  test('peek shows what waits, and takes nothing', async () => {
    const { web, api } = await openPair()
    for (const text of ['one', 'two', 'three']) await web.caller.messages.send(draft('api', text))
    for (let round = 0; round < 2; round++) {
      const { messages, waiting } = await api.caller.mailbox.peek({ limit: 2 })
      expect(messages.map((mail) => mail.text)).toEqual(['one', 'two'])
      expect(waiting).toBe(3)
    }
  })

  test('read gives a long message in pages that make the whole', async () => {
    const text = '0123456789'.repeat(1_000)
    const { api, messageId } = await openOffered(text)
    const pages: string[] = []
    for (let offset: number | null = 0; offset !== null;) {
      const page = await api.caller.mailbox.read({ messageId, offset, limit: 3_000 })
      expect(page).toMatchObject({ offset, total: 10_000 })
      pages.push(page.mail.text)
      offset = page.next
    }
    expect(pages).toHaveLength(4)
    expect(pages.join('')).toBe(text)
  })

  test.each([1, 2, 3])(
    'read cuts no character in two, and comes to an end, in pages of %i',
    async (limit) => {
      const text = 'a😀b😀😀c'
      const { api, messageId } = await openOffered(text)
      const pages: string[] = []
      for (let offset: number | null = 0; offset !== null && pages.length < 50;) {
        const page = await api.caller.mailbox.read({ messageId, offset, limit })
        pages.push(page.mail.text)
        offset = page.next
      }
      expect(pages.join('')).toBe(text)
      expect(pages.every((page) => page.isWellFormed())).toBe(true)
    },
  )

  test('read beyond the end is empty, and the end', async () => {
    const { api, messageId } = await openOffered('short')
    expect(await api.caller.mailbox.read({ messageId, offset: 99 })).toMatchObject({
      mail: { text: '' },
      next: null,
    })
  })

  test('read tells nothing of a message that was never offered', async () => {
    const { web, api } = await openPair()
    const { messageId } = await web.caller.messages.send(draft('api', 'still queued'))
    await expect(api.caller.mailbox.read({ messageId })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: `Message ${messageId} still waits for you: take your mail first, which brings it.`,
    })
  })

  test('read is for the recipient alone', async () => {
    const { web, seat } = await openPair()
    const spy = await seat('spy')
    const { messageId } = await web.caller.messages.send(draft('api', 'secret'))
    await expect(spy.caller.mailbox.read({ messageId })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: `You have no message ${messageId}, or it was settled over 30 days ago.`,
    })
    await expect(web.caller.mailbox.read({ messageId })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: `Message ${messageId} is one that you sent: ask for its status.`,
    })
  })

  const calls: [string, (caller: Caller) => Promise<unknown>][] = [
    ['consume', (caller) => caller.mailbox.consume({ budget: 1 })],
    ['ack', (caller) => caller.mailbox.ack({ offerId: 'x' })],
    ['release', (caller) => caller.mailbox.release({ offerId: 'x' })],
    ['confirm', (caller) => caller.mailbox.confirm({ ids: [1] })],
    ['requeue', (caller) => caller.mailbox.requeue({ ids: [1], why: 'ended' })],
    ['unread', (caller) => caller.mailbox.unread()],
    ['peek', (caller) => caller.mailbox.peek()],
    ['read', (caller) => caller.mailbox.read({ messageId: 1 })],
    ['watch', (caller) => caller.mailbox.watch()],
  ]
  test.each(calls)('%s needs the key of a mailbox', async (_, call) => {
    await expect(call(openRouter().call())).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
  })
})
