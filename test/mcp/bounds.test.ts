import { expect, test } from 'vitest'
import { answerStandings, fitReceipts } from '../../apps/mcp/tools/shapes.ts'
import { describeWaiting } from '../../lib/frame/kept-text.ts'
import { describeThreads } from '../../lib/frame/thread-text.ts'
import { sendInput, type LogEntry } from '../../lib/router/shapes/messages.ts'

/** Clients cut an answer at 25,000 tokens. */
const MOST_CHARS = 12_000

const toEntry = (number: number): LogEntry => ({
  messageId: number + 1,
  from: `${'web'.repeat(20)}@${'desktop'.repeat(8)}`,
  to: `${'api'.repeat(20)}-${number}@${'laptop'.repeat(9)}`,
  urgency: 'normal',
  state: number % 2 === 0 ? 'read' : 'queued',
  attempts: 1,
  queuedAt: 1,
  offeredAt: 2,
  deliveredAt: 3,
  readAt: 4,
  requeuedAt: null,
  endedAt: null,
  notifiedAt: null,
  reach: null,
  replyBy: null,
  reply: number === 48 ? { id: 999, excerpt: 'ゆ'.repeat(200) } : null,
  text: 'ゆ'.repeat(200),
  chars: 200,
  replyTo: null,
  kind: 'message',
})
const many = (count: number) => Array.from({ length: count }, (_, number) => toEntry(number))

test('a send to many is answered within bounds, with a count of those not shown', () => {
  const { structuredContent, content } = answerStandings(1, 'Message 1 is stored.', many(300))
  expect(JSON.stringify(structuredContent).length).toBeLessThan(MOST_CHARS)
  expect(JSON.stringify(content).length).toBeLessThan(MOST_CHARS)
  const { recipients, more } = structuredContent as { recipients: unknown[]; more: string }
  expect(more).toMatch(new RegExp(`^and ${300 - recipients.length} more: .*\\d+ read`))
})

test('who answered, and who does not have the message yet, comes first where not all have room', () => {
  const { shown } = fitReceipts(many(300), ({ state, reply }) => ({ state, reply, words: 'x'.repeat(100) }))
  expect(shown[0]!.reply).not.toBeNull()
  expect(shown.slice(1).every(({ state }) => state === 'queued')).toBe(true)
})

test('a few recipients are told in their order', () => {
  const { shown, more } = fitReceipts(many(5), ({ to }) => to)
  expect([shown, more]).toEqual([many(5).map(({ to }) => to), undefined])
})

test.each(['sent', 'unanswered'] as const)('the list of what is %s stays within bounds', (show) => {
  const threads = { sent: many(51), owed: many(51), heldSince: 0 }
  const { text, messageIds } = describeThreads(threads, show, Date.now())
  expect(text.length).toBeLessThan(MOST_CHARS)
  expect(text.match(/There are more, older ones\./g)).toHaveLength(2)
  expect(messageIds.length).toBeGreaterThan(10)
})

test('what is kept on this computer stays within bounds, whatever its addresses', () => {
  const input = sendInput.parse({
    to: Array.from({ length: 900 }, (_, number) => `api-${number}`),
    message: 'x',
    idempotencyKey: 'a-test-key',
  })
  const lines = describeWaiting(
    Array.from({ length: 400 }, () => ({ hub: 'http://studio:7899', at: 1, input })),
    Date.now(),
  )
  expect(lines.join('\n').length).toBeLessThan(MOST_CHARS)
  expect(lines.at(-1)).toMatch(/^- and \d+ more$/)
})

test('a thousand wrong addresses are one fault', () => {
  const to = Array.from({ length: 1_000 }, () => '')
  const { error } = sendInput.safeParse({ to, message: 'x', idempotencyKey: 'a-test-key' })
  expect(error!.message.length).toBeLessThan(4_000)
})
