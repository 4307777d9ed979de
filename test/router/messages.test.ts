import { MAX_WAKES } from '../../lib/db/limits.ts'
import { describe, expect, test } from 'vitest'
import { draft, openPair, openRouter, type Caller } from '../harness/router.ts'

const PUBLIC_NOT_FOUND =
  /^You sent no message \d+, or it was settled over 30 days ago\. Use the message_id that send returned\.$/

describe('messages.send', () => {
  test('queues the message, and says how it will be reached', async () => {
    const { web, time } = await openPair()
    const { messageId, repeated, recipients } = await web.caller.messages.send(draft('api', 'hello'))
    expect({ messageId, repeated }).toEqual({ messageId: expect.any(Number), repeated: false })
    expect(recipients).toEqual([
      {
        messageId,
        from: 'web@laptop',
        to: 'api@laptop',
        urgency: 'normal',
        state: 'queued',
        attempts: 0,
        queuedAt: time.now,
        offeredAt: null,
        deliveredAt: null,
        readAt: null,
        requeuedAt: null,
        endedAt: null,
        notifiedAt: null,
        reach: {
          how: 'unknown',
          since: null,
          until: time.now + 7 * 24 * 3_600_000,
          notifyAt: time.now + 90_000,
        },
        replyBy: null,
        reply: null,
      },
    ])
  })

  test.each([
    ['whose server is away while its process runs, with its next turn', true, 'disconnected', false],
    ['that is gone, when it comes back, and since when it has been away', false, 'gone', true],
  ])('reaches a session %s', async (_, runs, how, dated) => {
    const { web, api, turn, running, time } = await openPair()
    await turn(api.id, false)
    running.set(api.id, runs)
    const since = time.now
    time.now += 60_000
    const { recipients } = await web.caller.messages.send(draft('api'))
    expect(recipients[0]!.reach).toMatchObject({ how, since: dated ? since : null })
  })

  type Said = Parameters<Caller['peers']['setActivity']>[0]
  const busy = { activity: 'busy', wakeable: false, headless: false } as const
  const idle = { ...busy, activity: 'idle' } as const
  const ways: [string, Said | undefined, 'normal' | 'fyi', string][] = [
    ['that works, with its next tool call', busy, 'normal', 'busy'],
    [
      'that still has a waiter while it works, with its next tool call',
      { ...busy, wakeable: true },
      'normal',
      'busy',
    ],
    ['that runs headless, before it ends', { ...busy, headless: true }, 'normal', 'headless'],
    ['that is idle and has a waiter, by waking it', { ...idle, wakeable: true }, 'normal', 'waking'],
    ['that is idle without one, with its next prompt', idle, 'normal', 'idle'],
    [
      'that runs headless and has not begun, before it ends',
      { ...idle, headless: true },
      'normal',
      'headless',
    ],
    [
      'that a program gives its prompts, with the next of them',
      { ...idle, headless: true, obstacle: 'stream' },
      'normal',
      'stream',
    ],
    [
      'that a program gives its prompts, while it works',
      { ...busy, headless: true, obstacle: 'stream' },
      'normal',
      'headless',
    ],
    [
      'that stands at a question, after the answer',
      { ...busy, wakeable: true, obstacle: 'dialog' },
      'normal',
      'asking',
    ],
    ['in which no hook runs, when it asks', { ...idle, obstacle: 'no-hooks' }, 'normal', 'hookless'],
    [
      'in which no hook runs, when it asks, also for information',
      { ...busy, obstacle: 'no-hooks' },
      'fyi',
      'hookless',
    ],
    [
      'in which no hook has run yet, with its first prompt if any does',
      { ...idle, obstacle: 'unproven' },
      'normal',
      'unproven',
    ],
    ['that has not said what it does, with its next event', undefined, 'normal', 'unknown'],
    ['that could be woken, but not for information only', { ...idle, wakeable: true }, 'fyi', 'fyi'],
  ]
  test.each(ways)('reaches a session %s', async (_, said, urgency, how) => {
    const { web, api } = await openPair()
    if (said) await api.caller.peers.setActivity(said)
    const { messageId, recipients } = await web.caller.messages.send({ ...draft('api'), urgency })
    expect(recipients[0]).toMatchObject({ urgency, reach: { how } })
    expect((await web.caller.messages.status({ messageId })).recipients).toEqual(recipients)
  })

  test('answers with the receipts that its status then gives, in their order, also when it is repeated', async () => {
    const { web, api, seat, turn, running } = await openPair()
    const others = [await seat('cli'), await seat('docs')]
    await api.caller.peers.setActivity({ ...idle, wakeable: true })
    await turn(others[0]!.id, false)
    running.set(others[0]!.id, false)
    const to = ['docs', 'api', 'cli']
    const said = { ...draft(to), expectsReplyWithin: 5 }
    const sent = await web.caller.messages.send(said)
    expect(sent.recipients).toHaveLength(3)
    expect((await web.caller.messages.status(sent)).recipients).toEqual(sent.recipients)
    expect(await web.caller.messages.send(said)).toEqual({ ...sent, repeated: true })
  })

  test('does not promise to wake for what was offered in vain time and again', async () => {
    const { web, api } = await openPair()
    await api.caller.peers.setActivity({ ...idle, wakeable: true })
    const { messageId } = await web.caller.messages.send(draft('api'))
    const reach = async () => (await web.caller.messages.status({ messageId })).recipients[0]!.reach!.how
    for (let offers = 0; offers < MAX_WAKES; offers++) {
      expect(await reach()).toBe('waking')
      const { offerId } = await api.caller.mailbox.consume({ budget: 1_000 })
      await api.caller.mailbox.release({ offerId: offerId! })
    }
    expect(await reach()).toBe('idle')
  })

  test('with the same key is the same message, also for racing senders', async () => {
    const { web, api } = await openPair()
    const one = draft('api', 'once')
    const sent = await Promise.all([1, 2, 3].map(() => web.caller.messages.send(one)))
    expect(new Set(sent.map((each) => each.messageId)).size).toBe(1)
    expect(sent.filter((each) => each.repeated)).toHaveLength(2)
    expect((await api.caller.mailbox.peek()).messages).toHaveLength(1)
  })

  test('with the same key is the same message, also when its text has half a character', async () => {
    const { web, api } = await openPair()
    const one = draft('api', 'half of \ud83d')
    const { messageId } = await web.caller.messages.send(one)
    expect(await web.caller.messages.send(one)).toMatchObject({ messageId, repeated: true })
    const { messages } = await api.caller.mailbox.peek()
    expect(messages.map((mail) => mail.text)).toEqual(['half of \ufffd'])
  })

  test('with a used key and other words is refused', async () => {
    const { web } = await openPair()
    const one = draft('api', 'one thing')
    const { messageId } = await web.caller.messages.send(one)
    await expect(web.caller.messages.send({ ...one, message: 'another' })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: `This idempotency key was used for message ${messageId}, which said something else: take a new key.`,
    })
  })

  test('keeps the keys of different senders apart', async () => {
    const { web, api, seat } = await openPair()
    const docs = await seat('docs')
    const one = draft('docs', 'same key')
    const [first, second] = [await web.caller.messages.send(one), await api.caller.messages.send(one)]
    expect(first.messageId).not.toBe(second.messageId)
    expect((await docs.caller.mailbox.peek()).messages).toHaveLength(2)
  })

  test('takes 64 KiB and not a byte more, counted as they travel', async () => {
    const { web } = await openPair()
    await expect(web.caller.messages.send(draft('api', 'é'.repeat(32_768)))).resolves.toMatchObject({
      repeated: false,
    })
    await expect(web.caller.messages.send(draft('api', `${'é'.repeat(32_768)}x`))).rejects.toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
      message:
        'The message has 65537 bytes; the limit is 65536. Write it to a file and send the path, or send it in parts.',
    })
  })

  test('refuses the 61st message to one peer within a minute, and takes it a minute later', async () => {
    const { web, seat, time } = await openPair()
    await seat('docs')
    for (let count = 0; count < 60; count++) await web.caller.messages.send(draft('api'))
    await expect(web.caller.messages.send(draft('api'))).rejects.toMatchObject({
      code: 'TOO_MANY_REQUESTS',
      message:
        'You sent api@laptop 60 messages within a minute. Nothing was sent: wait a minute, and say more in one message.',
    })
    await expect(web.caller.messages.send(draft(['docs', 'api']))).rejects.toThrow('Nothing was sent')
    await expect(web.caller.messages.send(draft('docs'))).resolves.toBeDefined()
    time.now += 60_000
    await expect(web.caller.messages.send(draft('api'))).resolves.toBeDefined()
  })

  test('refuses mail for a mailbox in which 200 messages of the sender wait', async () => {
    const { web, api, database, time } = await openPair()
    await database.queue.run(() => {
      for (let count = 0; count < 200; count++) {
        if (count % 50 === 0) time.now += 60_000
        const sent = database.messages.send({
          senderId: web.id,
          recipientIds: [api.id],
          idempotencyKey: `fill-${count}`,
          body: `x ${count}`,
          urgency: 'normal',
        })
        expect(sent.kind).toBe('sent')
      }
    })
    time.now += 60_000
    await expect(web.caller.messages.send(draft('api'))).rejects.toMatchObject({
      code: 'TOO_MANY_REQUESTS',
      message:
        'The mailbox of api@laptop is full: 200 messages of yours wait there. Nothing was sent: try again when it has read some.',
    })
  })

  test('may answer only what the sender has sent or got', async () => {
    const { web, api, seat } = await openPair()
    const spy = await seat('spy')
    const { messageId } = await web.caller.messages.send(draft('api'))
    await expect(api.caller.messages.send({ ...draft('web'), replyTo: messageId })).resolves.toBeDefined()
    await expect(web.caller.messages.send({ ...draft('api'), replyTo: messageId })).resolves.toBeDefined()
    for (const replyTo of [messageId, 999_999]) {
      await expect(spy.caller.messages.send({ ...draft('web'), replyTo })).rejects.toMatchObject({
        code: 'BAD_REQUEST',
        message: `reply_to ${replyTo} is no message that you sent or received: use an id from your mail, or leave it out.`,
      })
    }
  })

  test.each([
    ['no words', { message: '' }, 'message: the message is empty'],
    ['nothing but space', { message: ' \n\t\u3000' }, 'message: the message is empty'],
    ['a short key', { idempotencyKey: 'x' }, /^idempotencyKey: /],
    ['an urgency that is none', { urgency: 'panic' }, /^urgency: /],
    ['an address that is none', { to: ['api', ' '] }, 'to: an address is empty'],
    ['no address', { to: [] }, 'to: there is no address'],
    [
      'too long a time',
      { expectsReplyWithin: 2_881 },
      'expectsReplyWithin: use whole minutes, 1 to 2880 (48 hours)',
    ],
    ['no time at all', { expectsReplyWithin: 0 }, /^expectsReplyWithin: use whole minutes/],
    ['a scope that is none', { to: 'all', scope: 'network' }, /^scope: /],
    ['an id that is none', { replyTo: 0.5 }, /^replyTo: /],
    ['several mistakes', { message: '', idempotencyKey: '' }, /^message: .*; idempotencyKey: /],
  ])('refuses %s, and says which field is wrong', async (_, wrong, words) => {
    const { web } = await openPair()
    const failing = web.caller.messages.send({ ...draft('api'), ...wrong } as never)
    await expect(failing).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    await expect(toPublic(failing)).resolves.toMatch(words)
  })

  test('takes the sender from the key, whatever the body says', async () => {
    const { web, api } = await openPair()
    const forged = { ...draft('api'), senderId: api.id, from: 'user@laptop', self: { id: api.id } }
    await web.caller.messages.send(forged)
    expect((await api.caller.mailbox.peek()).messages).toMatchObject([{ from: 'web@laptop' }])
  })
})

describe('messages.status and messages.retract', () => {
  test('follow the message for its sender', async () => {
    const { web, api, time } = await openPair()
    const { messageId } = await web.caller.messages.send(draft('api'))
    const state = async () => (await web.caller.messages.status({ messageId })).recipients[0]
    const offer = await api.caller.mailbox.consume({ budget: 1_000 })
    expect(await state()).toMatchObject({ state: 'offered', attempts: 1, reach: null })
    time.now += 5
    await api.caller.mailbox.ack({ offerId: offer.offerId! })
    expect(await state()).toMatchObject({ state: 'delivered', deliveredAt: time.now, endedAt: null })
  })

  test('retract what nobody was offered yet, and leave the rest', async () => {
    const { web, api, seat, time } = await openPair()
    await seat('docs')
    const { messageId } = await web.caller.messages.send(draft(['api', 'docs']))
    await api.caller.mailbox.consume({ budget: 1_000 })
    const { recipients } = await web.caller.messages.retract({ messageId })
    expect(Object.fromEntries(recipients.map((one) => [one.to, one.state]))).toEqual({
      'api@laptop': 'offered',
      'docs@laptop': 'retracted',
    })
    expect(recipients.find((one) => one.state === 'retracted')).toMatchObject({
      endedAt: time.now,
      deliveredAt: null,
    })
    expect(await web.caller.messages.retract({ messageId })).toEqual({ messageId, recipients })
  })

  test('are answered to strangers and recipients as if there were no such message', async () => {
    const { web, api, seat } = await openPair()
    const spy = await seat('spy')
    const { messageId } = await web.caller.messages.send(draft('api'))
    for (const { caller } of [spy, api]) {
      for (const id of [messageId, 999_999]) {
        await expect(caller.messages.status({ messageId: id })).rejects.toThrow(PUBLIC_NOT_FOUND)
        await expect(caller.messages.retract({ messageId: id })).rejects.toThrow(PUBLIC_NOT_FOUND)
      }
    }
    expect((await api.caller.mailbox.peek()).messages).toHaveLength(1)
  })

  const calls: [string, (caller: Caller) => Promise<unknown>][] = [
    ['send', (caller) => caller.messages.send(draft('api'))],
    ['status', (caller) => caller.messages.status({ messageId: 1 })],
    ['retract', (caller) => caller.messages.retract({ messageId: 1 })],
  ]
  test.each(calls)('%s needs the key of a mailbox', async (_, call) => {
    await expect(call(openRouter().call())).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
  })
})

/** The words that reach a client, after the error has been formatted for it. */
async function toPublic(failing: Promise<unknown>): Promise<string> {
  const { getTRPCErrorShape } = await import('@trpc/server')
  const { appRouter } = await import('../../lib/router/router.ts')
  const error = await failing.then(
    () => {
      throw new Error('it did not fail')
    },
    (cause: unknown) => cause,
  )
  const shape = getTRPCErrorShape({
    config: appRouter._def._config,
    error: error as never,
    type: 'unknown',
    path: 'messages.send',
    input: undefined,
    ctx: undefined,
  })
  return shape.message
}
