import { expect, test } from 'vitest'
import type { z } from 'zod'
import { offer, settled } from '../../lib/router/shapes/mailbox.ts'
import { sent } from '../../lib/router/shapes/messages.ts'
import { draft, openPair } from '../harness/router.ts'

/** What a schema says, and nothing else: an object that has more is not what comes out of it. */
const expectShape = (schema: z.ZodType, value: unknown) => expect(schema.parse(value)).toEqual(value)

test('what a message goes through is answered in exactly the shapes of the contract, without a check at each answer', async () => {
  const { web, api } = await openPair()
  const ask = { ...draft('api', 'a question'), expectsReplyWithin: 5 }
  const asked = await web.caller.messages.send(ask)
  expectShape(sent, asked)
  expectShape(sent, await web.caller.messages.send(ask))
  expectShape(sent, await web.caller.messages.send({ ...draft('all'), scope: 'machine' }))
  const first = await api.caller.mailbox.consume({ budget: 9_000, overhead: 10 })
  expect(first.messages).toHaveLength(2)
  expectShape(offer, first)
  expectShape(offer, await api.caller.mailbox.consume({ budget: 9_000 }))
  expectShape(settled, await api.caller.mailbox.ack({ offerId: first.offerId! }))
  expectShape(sent, await api.caller.messages.send({ ...draft('web'), replyTo: asked.messageId }))
  const answer = await web.caller.mailbox.consume({ budget: 9_000 })
  expect(answer.messages[0]!.answers).not.toBeNull()
  expectShape(offer, answer)
  expectShape(
    settled,
    await web.caller.mailbox.ack({ offerId: answer.offerId!, unshown: [answer.messages[0]!.id] }),
  )
})
