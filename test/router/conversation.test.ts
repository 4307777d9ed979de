import { describe, expect, test } from 'vitest'
import { draft, HOME_MACHINE, openRouter } from '../harness/router.ts'

const MINUTE = 60_000

async function openThree() {
  const router = openRouter()
  const [web, api, docs] = [await router.seat('web'), await router.seat('api'), await router.seat('docs')]
  return { ...router, web, api, docs }
}

const names = (recipients: { to: string }[]) => recipients.map((one) => one.to).toSorted()

describe('the address all', () => {
  test('means the sessions that run on the sender’s machine, each with a receipt, and not itself', async () => {
    const { web, seat, running, call } = await openThree()
    await seat('far', { machine: { id: 'machine-desktop', host: 'desktop' } })
    await seat('closed', { online: false })
    const offline = await seat('server-away', { online: false })
    running.set(offline.id, true)
    const ended = await seat('ended')
    running.set(ended.id, false)
    await call().peers.register({
      machine: HOME_MACHINE,
      kind: 'user',
      directory: '/home/me',
      root: '/home/me',
      isRepo: false,
      summary: '',
    })
    const sent = await web.caller.messages.send(draft('ALL'))
    expect(sent.scope).toBe('machine')
    expect(names(sent.recipients)).toEqual(['api@laptop', 'docs@laptop', 'server-away@laptop'])
  })

  test('narrows to the repository and to the directory', async () => {
    const { seat } = openRouter()
    const place = (directory: string) => ({ directory, root: '/src/shop' })
    const front = await seat('front', place('/src/shop/front'))
    await seat('front-2', place('/src/shop/front'))
    await seat('back', place('/src/shop/back'))
    await seat('other')
    const to = async (scope: 'repo' | 'directory') =>
      (await front.caller.messages.send({ ...draft('all'), scope })).recipients.length
    expect([await to('repo'), await to('directory')]).toEqual([2, 1])
  })

  test('tells each recipient where everybody was', async () => {
    const { web, api } = await openThree()
    await web.caller.messages.send(draft('all'))
    expect((await api.caller.mailbox.peek()).messages).toMatchObject([{ scope: 'machine' }])
  })

  test('with the same key is the same message, whoever came since, and also when nobody is left', async () => {
    const { web, api, docs, seat, turn } = await openThree()
    const one = draft('all')
    const { messageId } = await web.caller.messages.send(one)
    await seat('late')
    const again = await web.caller.messages.send(one)
    expect(again).toMatchObject({ messageId, repeated: true, scope: 'machine' })
    expect(names(again.recipients)).toEqual(['api@laptop', 'docs@laptop'])
    const late = await seat('late')
    for (const { id } of [api, docs, late]) await turn(id, false)
    await expect(web.caller.messages.send(one)).resolves.toMatchObject({ messageId })
  })

  test.each([
    [
      'together with others',
      { to: ['api', 'all'] },
      'The address "all" stands alone: leave the other addresses out.',
    ],
    [
      'by a scope without it',
      { to: 'api', scope: 'repo' as const },
      'A scope belongs to the address "all": leave it out, or send to "all".',
    ],
    [
      'where nobody else is',
      { to: 'all', scope: 'directory' as const },
      'No other session runs in this scope (directory). Nothing was sent: take a wider scope, or name a peer; mail to a closed session waits for it.',
    ],
  ])('%s is refused', async (_, wrong, message) => {
    const { web } = await openThree()
    await expect(web.caller.messages.send({ ...draft('api'), ...wrong })).rejects.toMatchObject({ message })
  })

  test('where nobody else is on the machine is refused without the advice of a wider scope', async () => {
    const { seat } = await openThree()
    const lone = await seat('lone', { machine: { id: 'machine-lone', host: 'lone' } })
    await expect(lone.caller.messages.send(draft('all'))).rejects.toThrow(
      'No other session runs on this machine. Nothing was sent: name a peer; mail to a closed session waits for it.',
    )
  })

  test('with more than 50 sessions is refused whole, and says what to do', async () => {
    const { web, api, seat } = await openThree()
    for (let count = 0; count < 49; count++) await seat(`more-${count}`)
    await expect(web.caller.messages.send(draft('all'))).rejects.toMatchObject({
      code: 'TOO_MANY_REQUESTS',
      message:
        'That is 51 recipients; the limit is 50. Nothing was sent: take a narrower scope, or name fewer.',
    })
    const named = Array.from({ length: 49 }, (_, count) => `more-${count}`)
    await expect(web.caller.messages.send(draft([...named, 'api', 'docs']))).rejects.toThrow(
      'That is 51 recipients; the limit is 50. Nothing was sent: name fewer.',
    )
    expect((await api.caller.mailbox.peek()).messages).toEqual([])
  })

  test('of the person means its machine, and nothing narrower', async () => {
    const { call, seat } = openRouter()
    await seat('api')
    const { key } = await call().peers.register({
      machine: HOME_MACHINE,
      kind: 'user',
      directory: '/home/me',
      root: '/home/me',
      isRepo: false,
      summary: '',
    })
    const { caller } = { caller: call({ key }) }
    expect(names((await caller.messages.send(draft('all'))).recipients)).toEqual(['api@laptop'])
    await expect(caller.messages.send({ ...draft('all'), scope: 'repo' })).rejects.toThrow(
      'The person is in no repository: use the scope machine, or name the sessions.',
    )
  })
})

describe('a repetition', () => {
  test('of the same text within a minute is refused to all, with what to do; the same key is no repetition', async () => {
    const { web, docs, time } = await openThree()
    const one = draft('api', 'thanks!')
    const { messageId } = await web.caller.messages.send(one)
    await expect(web.caller.messages.send(one)).resolves.toMatchObject({ messageId, repeated: true })
    await expect(web.caller.messages.send(draft('api', 'thanks!'))).rejects.toMatchObject({
      code: 'TOO_MANY_REQUESTS',
      message: `You sent api@laptop the same text less than a minute ago, as message ${messageId}. Nothing was sent: it need not be said twice. Say what is new, or wait a minute.`,
    })
    await expect(web.caller.messages.send(draft(['docs', 'api'], 'thanks!'))).rejects.toThrow(
      'Nothing was sent, to the others neither',
    )
    expect((await docs.caller.mailbox.peek()).messages).toEqual([])
    time.now += MINUTE
    await expect(web.caller.messages.send(draft('api', 'thanks!'))).resolves.toMatchObject({
      repeated: false,
    })
  })
})

describe('a question', () => {
  test('tells the asked until when an answer is awaited, and the asker what answered', async () => {
    const { web, api, time } = await openThree()
    const { messageId, recipients } = await web.caller.messages.send({
      ...draft('api', 'which port?'),
      expectsReplyWithin: 30,
    })
    const replyBy = time.now + 30 * MINUTE
    expect(recipients).toMatchObject([{ replyBy, reply: null }])
    expect((await api.caller.mailbox.peek()).messages).toMatchObject([{ replyBy }])
    const { messageId: id } = await api.caller.messages.send({ ...draft('web', '4000'), replyTo: messageId })
    expect((await web.caller.messages.status({ messageId })).recipients).toMatchObject([
      { reply: { id, excerpt: '4000' } },
    ])
    expect((await web.caller.mailbox.peek()).messages).toMatchObject([
      { replyTo: messageId, answers: { excerpt: 'which port?', awaited: true, ofPrevious: false } },
    ])
  })

  test('without an answer comes back as a note of the network, which is no peer’s and cannot be answered', async () => {
    const { web, api, time, database, call } = await openThree()
    const { messageId } = await web.caller.messages.send({ ...draft('api', 'port?'), expectsReplyWithin: 1 })
    time.now += MINUTE
    await database.queue.run(() => database.sweep())
    const [note] = (await web.caller.mailbox.peek()).messages
    expect(note).toMatchObject({
      kind: 'note',
      from: 'claude-peers',
      directory: '',
      urgency: 'normal',
      replyTo: messageId,
      answers: { excerpt: 'port?', awaited: false, ofPrevious: false },
      text: expect.stringContaining(`No answer to message ${messageId} came from api@laptop`),
    })
    await expect(web.caller.messages.send({ ...draft('api'), replyTo: note!.id })).rejects.toThrow(
      `Message ${note!.id} is a note of claude-peers, whom nobody can answer: it is about message ${messageId}.`,
    )
    await expect(web.caller.messages.status({ messageId: note!.id })).rejects.toThrow('You sent no message')
    await expect(web.caller.messages.retract({ messageId: note!.id })).rejects.toThrow('You sent no message')
    const { entries } = await call().messages.history({})
    expect(entries.map(({ from, to, kind }) => [from, to, kind])).toEqual([
      ['claude-peers', 'web@laptop', 'note'],
      ['web@laptop', 'api@laptop', 'message'],
    ])
    expect((await api.caller.mailbox.peek()).messages).toHaveLength(1)
  })

  test('of a previous session is not taken for one of its successor, nor is the note about it', async () => {
    const { web, api, seat, turn, running, time, database } = await openThree()
    const ask = async (question: string) => {
      const asked = await web.caller.messages.send({ ...draft('api', question), expectsReplyWithin: 1 })
      return asked.messageId
    }
    const [answered, open] = [await ask('drop the table users?'), await ask('and its index?')]
    await turn(web.id, false)
    running.set(web.id, false)
    time.now += MINUTE
    const successor = await seat('web')
    expect(successor.id).toBe(web.id)
    const own = await successor.caller.messages.send({ ...draft('api', 'which port?') })
    await api.caller.messages.send({ ...draft('web', 'Yes, drop it.'), replyTo: answered })
    await api.caller.messages.send({ ...draft('web', '4000'), replyTo: own.messageId })
    await database.queue.run(() => database.sweep())
    const { messages } = await successor.caller.mailbox.peek()
    const told = messages.map(({ replyTo, answers }) => [replyTo, answers?.ofPrevious])
    expect(told).toEqual([
      [answered, true],
      [own.messageId, false],
      [open, true],
    ])
  })

  test('is not asked by mail for information', async () => {
    const { web } = await openThree()
    await expect(
      web.caller.messages.send({ ...draft('api'), urgency: 'fyi', expectsReplyWithin: 5 }),
    ).rejects.toThrow('asks for no answer')
  })
})

describe('messages.threads', () => {
  test('lists what the caller sent, and what is unanswered on both sides', async () => {
    const { web, api } = await openThree()
    const { messageId: plain } = await web.caller.messages.send(draft(['api', 'docs']))
    const { messageId: asked } = await api.caller.messages.send({ ...draft('web'), expectsReplyWithin: 5 })
    const offer = await web.caller.mailbox.consume({ budget: 1_000 })
    await web.caller.mailbox.ack({ offerId: offer.offerId! })
    await api.caller.messages.send({ ...draft('web'), replyTo: plain })
    const ids = (entries: { messageId: number; to: string }[]) =>
      entries.map((one) => [one.messageId, one.to])
    const sent = await web.caller.messages.threads({ show: 'sent' })
    expect(ids(sent.sent)).toHaveLength(2)
    expect(ids(sent.sent)).toEqual(
      expect.arrayContaining([
        [plain, 'api@laptop'],
        [plain, 'docs@laptop'],
      ]),
    )
    expect(sent.owed).toEqual([])
    const open = await web.caller.messages.threads({ show: 'unanswered' })
    expect([ids(open.sent), ids(open.owed)]).toEqual([[[plain, 'docs@laptop']], [[asked, 'web@laptop']]])
  })

  test('tells apart what the previous session of the seat sent', async () => {
    const { web, seat, turn, running, time } = await openThree()
    const { messageId: before } = await web.caller.messages.send(draft('api', 'which port?'))
    await turn(web.id, false)
    running.set(web.id, false)
    time.now += MINUTE
    const successor = await seat('web')
    const { messageId: own } = await successor.caller.messages.send(draft('api', 'which host?'))
    const { sent, heldSince } = await successor.caller.messages.threads({ show: 'sent' })
    expect(sent.map(({ messageId, queuedAt }) => [messageId, queuedAt < heldSince])).toEqual([
      [own, false],
      [before, true],
    ])
  })

  test('needs the key of a mailbox', async () => {
    await expect(openRouter().call().messages.threads({ show: 'sent' })).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
    })
  })
})

describe('mailbox.ack', () => {
  test('gives back what had no room, as if it had not been offered', async () => {
    const { web, api } = await openThree()
    const { messageId: first } = await web.caller.messages.send(draft('api'))
    const { messageId: second } = await web.caller.messages.send(draft('api'))
    const { offerId } = await api.caller.mailbox.consume({ budget: 1_000 })
    expect(await api.caller.mailbox.ack({ offerId: offerId!, unshown: [second] })).toEqual({
      settled: 1,
      remaining: 1,
    })
    const state = async (messageId: number) => (await web.caller.messages.status({ messageId })).recipients[0]
    expect(await state(first)).toMatchObject({ state: 'delivered' })
    expect(await state(second)).toMatchObject({ state: 'queued', attempts: 0 })
    const next = await api.caller.mailbox.consume({ budget: 1_000 })
    expect(next.messages).toMatchObject([{ id: second, again: false }])
  })

  test('does not give back what belongs to another offer, or to nobody any more', async () => {
    const { web, api } = await openThree()
    const { messageId } = await web.caller.messages.send(draft('api'))
    const offer = await api.caller.mailbox.consume({ budget: 1_000 })
    await api.caller.mailbox.ack({ offerId: 'another', unshown: [messageId] })
    expect(await api.caller.mailbox.ack({ offerId: offer.offerId! })).toMatchObject({ settled: 1 })
    await api.caller.mailbox.ack({ offerId: offer.offerId!, unshown: [messageId] })
    expect((await web.caller.messages.status({ messageId })).recipients[0]!.state).toBe('delivered')
  })
})
