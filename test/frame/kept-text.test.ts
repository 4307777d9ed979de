import { expect, test } from 'vitest'
import { describeKept, describeNews } from '../../lib/frame/kept-text.ts'

const input = { to: 'api', message: 'ready?', urgency: 'normal', idempotencyKey: 'a-key-of-8' } as const
const kept = { hub: 'http://studio:7899', at: 0, input }

test('a kept message is said to wait for a hub that is away only where that is so', () => {
  expect(describeKept(kept, { isBehind: false })).toMatch(
    /^The hub at http:\/\/studio:7899 does not answer\. /,
  )
  const behind = describeKept(kept, { isBehind: true })
  expect(behind).not.toContain('does not answer')
  expect(behind).toContain('behind')
})

test('the time for an answer to a kept message counts from when the hub has it, and that is said', () => {
  const asks = { ...kept, input: { ...input, expectsReplyWithin: 5 } }
  expect(describeKept(asks, { isBehind: false })).toContain('5 minutes for an answer count from then')
  expect(describeKept(kept, { isBehind: false })).not.toContain('minutes')
})

test('of a message whose attempt had no answer for 48 hours nobody says that it did not arrive', () => {
  const [old] = describeNews(
    { sent: [], refused: [{ ...kept, reason: 'The hub did not answer for 48 hours.', isUnknown: true }] },
    0,
  )
  expect(old).not.toContain('NOT sent')
  expect(old).toContain('It is not known whether')
  const [refused] = describeNews({ sent: [], refused: [{ ...kept, reason: 'Nobody is called "api".' }] }, 0)
  expect(refused).toContain('NOT sent')
})
