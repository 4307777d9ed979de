import { mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createReceipts, type Receipts } from '../../apps/mcp/receipts.ts'
import { renderFrame } from '../../lib/frame/frame.ts'
import type { Transcripts } from '../../lib/machine/cards.ts'
import type { Requeue, Unread } from '../../lib/router/shapes/mailbox.ts'
import { openTranscript, type Transcript } from '../harness/transcript.ts'
import { toMail } from '../harness/mail.ts'

const SECOND = 1_000
const PREFIX = 'mcp__claude-peers__'

let directory: string
let clock: { now: number }
let transcript: Transcript
let current: string | undefined
let told: { confirmed: number[][]; back: [Requeue, number[]][] }
let past: Transcripts['past']
let hubIsUp: boolean
let receipts: Receipts

const openNext = (name: string) => openTranscript(join(directory, name), () => clock.now)
const start = () =>
  createReceipts({
    transcripts: () => ({ current, past }),
    toolPrefix: PREFIX,
    now: () => clock.now,
    confirm: async (ids) => tell(() => told.confirmed.push(ids)),
    requeue: async (ids, why) => tell(() => told.back.push([why, ids])),
  })

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'claude-peers-receipts-'))
  clock = { now: Date.UTC(2026, 10, 22, 14) }
  transcript = openNext('first.jsonl')
  current = transcript.path
  told = { confirmed: [], back: [] }
  past = []
  hubIsUp = true
  receipts = start()
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function tell(write: () => unknown) {
  if (!hubIsUp) throw new Error('no hub')
  write()
}

function frame(...ids: number[]): string {
  const messages = ids.map((id) => toMail({ id, text: `message ${id}`, sentAt: clock.now }))
  return renderFrame({ messages, remaining: 0, toolPrefix: PREFIX, now: clock.now }).text
}

const unread = (id: number, changes: Partial<Unread> = {}): Unread => ({
  id,
  state: 'delivered',
  offeredAgo: 0,
  ...changes,
})
const confirmed = () => told.confirmed.flat()

/** What a hook gave, and an answer of the model to it. */
function exchange(...ids: number[]) {
  transcript.inject(frame(...ids))
  transcript.reply()
}

test('a message that the model answered after is confirmed, once, in one batch with others', async () => {
  receipts.expect([unread(1), unread(2), unread(3)])
  transcript.inject(frame(1, 2))
  await receipts.look()
  expect(told.confirmed).toEqual([])
  transcript.reply()
  await receipts.look()
  await receipts.look()
  expect(told.confirmed).toEqual([[1, 2]])
  transcript.answer(`${PREFIX}check_messages`, JSON.stringify({ mail: frame(3) }))
  await receipts.look()
  expect(told.confirmed).toEqual([[1, 2]])
  transcript.reply()
  await receipts.look()
  expect(told).toEqual({ confirmed: [[1, 2], [3]], back: [] })
  expect(receipts.isOpen()).toBe(false)
})

test.each<[string, () => void]>([
  ['an error of the API', () => transcript.reply('API Error', { isApiErrorMessage: true })],
  [
    'a word of the client itself',
    () => transcript.reply('', { message: { id: 'msg_x', model: '<synthetic>', content: [] } }),
  ],
  ['an answer of a subagent', () => transcript.reply('done', { isSidechain: true })],
  [
    'a notice that the run has had its turns',
    () => transcript.note('informational', 'Operation stopped by hook: halt'),
  ],
  ['what the person says next', () => transcript.say('and now?')],
  ['an interrupt', () => transcript.say('[Request interrupted by user]')],
  ['the end of the turn', () => transcript.note('turn_duration')],
])('%s does not prove that mail was read, nor that it was not', async (_, write) => {
  receipts.expect([unread(1)])
  transcript.inject(frame(1))
  write()
  await receipts.look()
  expect(told).toEqual({ confirmed: [], back: [] })
  transcript.reply()
  await receipts.look()
  expect(confirmed()).toEqual([1])
})

test('the rest of an answer that was begun before the mail came proves nothing', async () => {
  receipts.expect([unread(1)])
  const begun = { message: { id: 'msg_begun', model: 'claude', content: [] } }
  transcript.reply('', begun)
  transcript.inject(frame(1))
  transcript.reply('', begun)
  await receipts.look()
  expect(confirmed()).toEqual([])
  transcript.reply()
  await receipts.look()
  expect(confirmed()).toEqual([1])
})

test('mail on offer is confirmed as well: its acknowledgement may be lost', async () => {
  receipts.expect([unread(1, { state: 'offered' })])
  exchange(1)
  await receipts.look()
  expect(confirmed()).toEqual([1])
})

test('nothing is confirmed that is not expected, until it is', async () => {
  receipts.expect([unread(1)])
  exchange(2)
  await receipts.look()
  expect(confirmed()).toEqual([])
  receipts.expect([unread(1), unread(2)])
  await receipts.look()
  expect(confirmed()).toEqual([2])
})

test('what was read before the server started is found', async () => {
  exchange(1)
  clock.now += 3_600 * SECOND
  transcript.say('later')
  receipts.expect([unread(1, { offeredAgo: 3_600 * SECOND })])
  await receipts.look()
  expect(confirmed()).toEqual([1])
})

// A database that was begun again counts from 1, while the transcript goes on.
test('an older message of the same number confirms nothing', async () => {
  exchange(1)
  clock.now += 60 * SECOND
  receipts.expect([unread(1, { state: 'offered', offeredAgo: 1 * SECOND })])
  await receipts.look()
  expect(confirmed()).toEqual([])
  exchange(1)
  await receipts.look()
  expect(confirmed()).toEqual([1])
})

test('a frame in the words of others confirms nothing', async () => {
  receipts.expect([unread(1)])
  transcript.say(frame(1))
  transcript.say(`Stop hook feedback:\n${frame(1)}`)
  transcript.answer('Bash', frame(1))
  transcript.answer('mcp__other__check_messages', JSON.stringify({ mail: frame(1) }))
  transcript.inject(frame(1), { more: { isSidechain: true } })
  transcript.inject(`a file says:\n${frame(1)}`)
  await receipts.look()
  transcript.reply()
  await receipts.look()
  expect(confirmed()).toEqual([])
})

test.each<[string, string | null]>([
  ['goes on before it', 'before'],
  ['begins again', null],
])(
  'mail leaves the conversation with a prompt that was taken back: the next one %s',
  async (_, parentUuid) => {
    transcript.say('hello', { uuid: 'before', parentUuid: null })
    transcript.say('carries mail', { uuid: 'prompt', parentUuid: 'before' })
    transcript.inject(frame(1), { more: { uuid: 'mail', parentUuid: 'prompt' } })
    receipts.expect([unread(1)])
    await receipts.look()
    expect(told.back).toEqual([])
    transcript.say('another', { uuid: 'next', parentUuid })
    transcript.reply()
    await receipts.look()
    expect(told).toEqual({ confirmed: [], back: [['dropped', [1]]] })
  },
)

test('a prompt that goes on behind the mail keeps it', async () => {
  transcript.say('carries mail', { uuid: 'prompt', parentUuid: null })
  transcript.inject(frame(1), { more: { uuid: 'mail', parentUuid: 'prompt' } })
  transcript.append('{"type":"system","uuid":"notice","timestamp":"2026-11-22T14:00:00.000Z"}\n')
  transcript.say('next', { uuid: 'next', parentUuid: 'notice' })
  transcript.reply()
  receipts.expect([unread(1)])
  await receipts.look()
  expect(told).toEqual({ confirmed: [[1]], back: [] })
})

test('mail that a compaction met unanswered may be in no request as it was written', async () => {
  receipts.expect([unread(1), unread(2)])
  transcript.inject(frame(1))
  transcript.note('compact_boundary', 'Conversation compacted')
  transcript.say('This session is being continued', { isCompactSummary: true, uuid: 's', parentUuid: 'b' })
  transcript.inject(frame(2), { event: 'SessionStart' })
  transcript.reply()
  await receipts.look()
  expect(told).toEqual({ confirmed: [[2]], back: [['dropped', [1]]] })
})

const BLOCKED = 'UserPromptSubmit operation blocked by hook:\n[policy]: no'

test('what was delivered at a prompt that another hook blocked was seen by nobody', async () => {
  transcript.say('hello')
  transcript.reply()
  clock.now += 60 * SECOND
  receipts.expect([unread(1)])
  await receipts.look()
  expect(told.back).toEqual([])
  clock.now += SECOND
  transcript.note('informational', BLOCKED)
  await receipts.look()
  expect(told.back).toEqual([['unseen', [1]]])
})

test('a blocked prompt takes no mail with it that came behind it, or stands in the transcript', async () => {
  transcript.say('hello')
  transcript.inject(frame(1))
  receipts.expect([unread(1)])
  clock.now += SECOND
  transcript.note('informational', BLOCKED)
  clock.now += SECOND
  receipts.expect([unread(1, { offeredAgo: 2 * SECOND }), unread(2)])
  await receipts.look()
  expect(told.back).toEqual([])
})

test('beside a tool at work, mail that a blocked prompt may have taken is marked', async () => {
  transcript.append(
    `${JSON.stringify({ type: 'assistant', timestamp: new Date(clock.now).toISOString(), message: { id: 'a', content: [{ type: 'tool_use', id: 't', name: 'Bash' }] } })}\n`,
  )
  receipts.expect([unread(1)])
  clock.now += SECOND
  transcript.note('informational', BLOCKED)
  await receipts.look()
  expect(told.back).toEqual([['dropped', [1]]])
})

test.each<[string, () => void]>([
  ['the person interrupted its hook', () => transcript.say('[Request interrupted by user for tool use]')],
  ['its turn ended without it', () => transcript.note('turn_duration')],
  [
    'the next prompt was answered without it',
    () => {
      transcript.say('next')
      transcript.reply()
    },
  ],
])('mail that never came into the transcript waits again, marked: %s', async (_, write) => {
  transcript.say('hello')
  receipts.expect([unread(1)])
  clock.now += SECOND
  write()
  await receipts.look()
  expect(told.back).toEqual([['dropped', [1]]])
})

test('mail that came with a prompt is not missed before its answer', async () => {
  transcript.say('hello')
  receipts.expect([unread(1)])
  clock.now += SECOND
  transcript.say('the prompt')
  await receipts.look()
  transcript.inject(frame(1), { event: 'UserPromptSubmit' })
  transcript.reply()
  await receipts.look()
  expect(told).toEqual({ confirmed: [[1]], back: [] })
})

test('what another session was given is not missed in the transcript of this one', async () => {
  receipts.expect([unread(1)])
  clock.now += SECOND
  transcript.say('a new session')
  transcript.note('turn_duration')
  await receipts.look()
  expect(told.back).toEqual([])
})

test('what a part of a transcript showed that was passed over is not missed', async () => {
  receipts.expect([unread(1)])
  clock.now += SECOND
  exchange(1)
  transcript.append(`{"x":"${'x'.repeat(1_000)}"}\n`.repeat(5_000))
  clock.now += SECOND
  transcript.note('turn_duration')
  await receipts.look()
  expect(told).toEqual({ confirmed: [], back: [] })
})

test('mail that came again within moments is not judged by what became of it before', async () => {
  transcript.say('hello')
  receipts.expect([unread(1)])
  transcript.inject(frame(1))
  transcript.note('compact_boundary')
  await receipts.look()
  expect(told.back).toEqual([['dropped', [1]]])
  clock.now += SECOND
  receipts.expect([unread(1)])
  await receipts.look()
  expect(told.back).toHaveLength(1)
  exchange(1)
  await receipts.look()
  expect(confirmed()).toEqual([1])
})

test('after /clear the old transcript is read to its end, and what nobody answered there waits again', async () => {
  transcript.say('hello')
  transcript.inject(frame(1))
  receipts.expect([unread(1), unread(2), unread(3), unread(4)])
  await receipts.look()
  clock.now += SECOND
  const next = openNext('second.jsonl')
  past = [{ path: transcript.path, until: clock.now }]
  current = next.path
  // The client still finishes the one before.
  transcript.reply()
  transcript.inject(frame(2))
  await receipts.look()
  next.inject(frame(3), { event: 'SessionStart' })
  next.reply()
  await receipts.look()
  expect(new Set(confirmed())).toEqual(new Set([1, 3]))
  expect(told.back).toEqual([])
  clock.now += 2 * SECOND
  await receipts.look()
  // The client wrote 2, and threw 4 away.
  expect(told.back).toEqual([['dropped', [2, 4]]])
  expect(receipts.path()).toBe(next.path)
})

test('a server that starts after /clear reads the transcript before as well', async () => {
  exchange(1)
  transcript.inject(frame(2))
  past = [{ path: transcript.path, until: clock.now }]
  current = openNext('second.jsonl').path
  receipts.expect([unread(1), unread(2)])
  clock.now += 2 * SECOND
  await receipts.look()
  expect(told).toEqual({ confirmed: [[1]], back: [['dropped', [2]]] })
})

test('a session that comes back to an earlier transcript goes on where that was left', async () => {
  transcript.say('hello')
  receipts.expect([unread(1), unread(2)])
  await receipts.look()
  const other = openNext('second.jsonl')
  past = [{ path: transcript.path, until: clock.now }]
  current = other.path
  other.inject(frame(1))
  other.reply()
  await receipts.look()
  past = [{ path: other.path, until: clock.now }]
  current = transcript.path
  exchange(2)
  await receipts.look()
  expect(confirmed()).toEqual([1, 2])
})

test('a transcript that is written again, shorter or in place of the old one, is read again', async () => {
  transcript.say('x'.repeat(10_000))
  receipts.expect([unread(1), unread(2)])
  await receipts.look()
  truncateSync(transcript.path, 0)
  exchange(1)
  await receipts.look()
  const beside = openNext('first.jsonl.new')
  beside.say('x'.repeat(20_000))
  beside.inject(frame(2))
  beside.reply()
  renameSync(beside.path, transcript.path)
  await receipts.look()
  expect(confirmed()).toEqual([1, 2])
})

test('lines that are no JSON are passed over', async () => {
  receipts.expect([unread(1)])
  transcript.append('{"type":"attachment","x":"<peer-message id=\n\u0000\u0000\nnull\n')
  exchange(1)
  await receipts.look()
  expect(confirmed()).toEqual([1])
})

test('what the hub could not be told is told with a later look', async () => {
  hubIsUp = false
  receipts.expect([unread(1), unread(2)])
  exchange(1)
  await expect(receipts.look()).rejects.toThrow('no hub')
  hubIsUp = true
  // It has come back, and says what it knows.
  receipts.expect([unread(1), unread(2)])
  await receipts.look()
  expect(confirmed()).toEqual([1])
})

test('a server that starts again finds what the one before had not confirmed', async () => {
  writeFileSync(transcript.path, `${'x'.repeat(500)}\n`.repeat(20_000))
  receipts.expect([unread(1)])
  exchange(1)
  receipts = start()
  receipts.expect([unread(1)])
  await receipts.look()
  expect(confirmed()).toEqual([1])
})

test('at the end of a session, mail that it was given and did not read waits again', async () => {
  const since = clock.now
  transcript.say('hello')
  clock.now += SECOND
  exchange(1)
  transcript.inject(frame(2))
  // 3: a kill leaves what the client had not written yet. 4: of the session before, in another transcript.
  receipts.expect([
    unread(1),
    unread(2),
    unread(3),
    unread(4, { offeredAgo: 3_600 * SECOND }),
    unread(5, { state: 'offered' }),
  ])
  await receipts.end(since)
  expect(told).toEqual({ confirmed: [[1]], back: [['ended', [2, 3]]] })
})

test.each<[string, () => void]>([
  ['not known', () => (current = undefined)],
  ['not there', () => (current = join(directory, 'nowhere.jsonl'))],
  [
    'of an earlier run, as where a client was told to save none',
    () => {
      transcript.append(
        '{"type":"user","timestamp":"2026-11-01T00:00:00.000Z","message":{"content":"old"}}\n',
      )
    },
  ],
])('a session whose transcript is %s takes nothing back for want of a proof', async (_, prepare) => {
  prepare()
  receipts.expect([unread(1)])
  for (let minute = 0; minute < 5; minute++) {
    clock.now += 60 * SECOND
    await receipts.look()
  }
  receipts.expect([unread(1)])
  await receipts.end(clock.now)
  expect(told).toEqual({ confirmed: [], back: [] })
})

test('a transcript that cannot be read rejects, and takes nothing back', async () => {
  current = directory
  receipts.expect([unread(1)])
  await expect(receipts.end(clock.now)).rejects.toThrow('EISDIR')
  expect(told.back).toEqual([])
})
