import type { z } from 'zod'
import { describe, expect, test } from 'vitest'
import type { Caller as TokenHolder } from '../../lib/router/context.ts'
import type { messageEvent } from '../../lib/router/shapes/messages.ts'
import { draft, FLEET, openRouter, type Caller } from '../harness/router.ts'

type MessageEvent = z.infer<typeof messageEvent>

const LAPTOP = { id: 'machine-laptop', host: 'travel' }
const DESKTOP = { id: 'machine-desktop', host: 'desktop' }
const OTHER = { id: 'machine-other', host: 'other' }
const WORDS = 'the words between two machines'

/** The hub of one machine, and mail between sessions of two others, with its answer. */
async function openNetwork() {
  const router = openRouter()
  const { seat, call, database } = router
  const web = await seat('web', { machine: LAPTOP })
  const api = await seat('api', { machine: DESKTOP })
  const { messageId } = await web.caller.messages.send(draft('api', WORDS))
  const reply = await api.caller.messages.send({ ...draft('web', 'the answer'), replyTo: messageId })
  /** Whoever has the token of a machine. */
  async function holder(machine: { id: string; host: string }): Promise<TokenHolder> {
    const { id } = await call().machines.invite({ label: machine.host })
    const token: TokenHolder = { kind: 'machine', tokenId: id, machineId: null }
    await call({ caller: token }).machines.join({ machine })
    return { ...token, machineId: machine.id }
  }
  return { ...router, web, api, messageId, replyId: reply.messageId, holder, database }
}

/** What the event of a feed says of its message. */
const toText = (event: unknown) => (event as [string, MessageEvent])[1].entry.text

/** What a caller learns of what was said, by every way that there is. */
async function learn(caller: Caller, messageId: number) {
  const { entries } = await caller.messages.history({})
  const found = await caller.messages.get({ messageId })
  return {
    texts: entries.map(({ text }) => text),
    excerpts: entries.map(({ reply }) => reply?.excerpt ?? null),
    whole: found.text,
    wholeReply: found.recipients[0]!.reply?.excerpt,
    chars: found.chars,
  }
}

describe('what was said is read', () => {
  const everything = {
    texts: ['the answer', WORDS],
    excerpts: [null, 'the answer'],
    whole: WORDS,
    wholeReply: 'the answer',
    chars: WORDS.length,
  }
  const nothing = { texts: ['', ''], excerpts: [null, ''], whole: '', wholeReply: '', chars: WORDS.length }

  test('by the person at the hub', async () => {
    const { call, messageId } = await openNetwork()
    expect(await learn(call(), messageId)).toEqual(everything)
  })

  test.each([
    ['sender', LAPTOP],
    ['recipient', DESKTOP],
  ])('at the machine of the %s', async (_, machine) => {
    const { call, messageId, holder } = await openNetwork()
    expect(await learn(call({ caller: await holder(machine) }), messageId)).toEqual(everything)
  })

  test('at no other machine of the network', async () => {
    const { call, messageId, holder } = await openNetwork()
    expect(await learn(call({ caller: await holder(OTHER) }), messageId)).toEqual(nothing)
  })

  test('with a token that machines share only by who has the key of a seat there', async () => {
    const { call, messageId, web, seat } = await openNetwork()
    const other = await seat('other', { machine: OTHER })
    expect(await learn(call({ caller: FLEET }), messageId)).toEqual(nothing)
    expect(await learn(call({ caller: FLEET, key: other.key }), messageId)).toEqual(nothing)
    expect(await learn(call({ caller: FLEET, key: web.key }), messageId)).toEqual(everything)
    expect(await learn(call({ caller: FLEET, key: `${web.key}x` }), messageId)).toEqual(nothing)
  })

  test('by all recipients of a message at once', async () => {
    const { call, web, seat, holder } = await openNetwork()
    await seat('other', { machine: OTHER })
    const { messageId } = await web.caller.messages.send(draft(['api', 'other'], 'for both'))
    const found = await call({ caller: await holder(OTHER) }).messages.get({ messageId })
    expect(found.text).toBe('for both')
  })

  test('in the feed of messages as in their history, also by two who follow at once', async () => {
    const { call, web, holder } = await openNetwork()
    const ends = new AbortController()
    const follow = async (caller: Caller) => (await caller.messages.watch())[Symbol.asyncIterator]()
    const feeds = [
      await follow(call({}, ends.signal)),
      await follow(call({ caller: await holder(OTHER) }, ends.signal)),
      await follow(call({ caller: await holder(LAPTOP) }, ends.signal)),
    ]
    const events = feeds.map((feed) => feed.next())
    await web.caller.messages.send(draft('api', 'news'))
    const texts = (await Promise.all(events)).map(({ value }) => toText(value))
    expect(texts).toEqual(['news', '', 'news'])
    ends.abort()
  })
})

test('a message that is no more, or never was, is not found', async () => {
  const { call } = openRouter()
  await expect(call().messages.get({ messageId: 4711 })).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('what was taken is listed newest first, page by page, whole, and stays taken', async () => {
  const { web, api } = await openNetwork()
  const long = 'x'.repeat(500)
  await web.caller.messages.send(draft('api', long))
  const offer = await api.caller.mailbox.consume({ budget: 100_000 })
  await api.caller.mailbox.ack({ offerId: offer.offerId! })
  await web.caller.messages.send(draft('api', 'still waits'))
  const first = await api.caller.mailbox.taken({ limit: 1 })
  expect(first.messages.map(({ text }) => text)).toEqual([long])
  const rest = await api.caller.mailbox.taken({ before: first.messages[0]!.id })
  expect(rest.messages.map(({ text }) => text)).toEqual([WORDS])
  expect((await api.caller.mailbox.peek()).waiting).toBe(1)
})
