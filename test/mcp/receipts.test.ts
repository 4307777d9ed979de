import { mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createReceipts, type Receipts } from '../../apps/mcp/receipts.ts'
import { renderFrame } from '../../lib/frame/frame.ts'
import type { Unread } from '../../lib/router/shapes/mailbox.ts'
import { openTranscript, type Transcript } from '../harness/transcript.ts'
import { toMail } from '../harness/mail.ts'

const SECOND = 1_000
const PREFIX = 'mcp__claude-peers__'

let directory: string
let clock: { now: number }
let transcript: Transcript
let current: string | undefined
let told: { confirmed: number[][]; doubted: number[][] }
let hubIsUp: boolean
let receipts: Receipts

const openNext = (name: string) => openTranscript(join(directory, name), () => clock.now)
const start = () =>
  createReceipts({
    transcript: () => current,
    toolPrefix: PREFIX,
    now: () => clock.now,
    confirm: async (ids) => tell('confirmed', ids),
    doubt: async (ids) => tell('doubted', ids),
  })

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'claude-peers-receipts-'))
  clock = { now: Date.UTC(2026, 10, 22, 14) }
  transcript = openNext('first.jsonl')
  current = transcript.path
  told = { confirmed: [], doubted: [] }
  hubIsUp = true
  receipts = start()
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function tell(what: 'confirmed' | 'doubted', ids: number[]) {
  if (!hubIsUp) throw new Error('no hub')
  told[what].push(ids)
}

function frame(...ids: number[]): string {
  const messages = ids.map((id) => toMail({ id, text: `message ${id}`, sentAt: clock.now }))
  return renderFrame({ messages, remaining: 0, toolPrefix: PREFIX, now: clock.now }).text
}

const unread = (id: number, changes: Partial<Unread> = {}): Unread => ({
  id,
  state: 'delivered',
  doubted: false,
  offeredAgo: 0,
  ...changes,
})
const confirmed = () => told.confirmed.flat()
const doubted = () => told.doubted.flat()

test('a message that its reader was shown is confirmed, once, in one batch with others', async () => {
  receipts.expect([unread(1), unread(2), unread(3)])
  transcript.inject(frame(1, 2))
  await receipts.look()
  expect(told.confirmed).toEqual([[1, 2]])
  await receipts.look()
  expect(told.confirmed).toEqual([[1, 2]])
  transcript.answer(`${PREFIX}check_messages`, JSON.stringify({ mail: frame(3) }))
  await receipts.look()
  expect(told.confirmed).toEqual([[1, 2], [3]])
  expect(receipts.isOpen()).toBe(false)
})

test('mail on offer is confirmed as well: its acknowledgement may be lost', async () => {
  receipts.expect([unread(1, { state: 'offered' })])
  transcript.inject(frame(1))
  await receipts.look()
  expect(confirmed()).toEqual([1])
})

test('nothing is confirmed that is not expected, until it is', async () => {
  receipts.expect([unread(1)])
  transcript.inject(frame(2))
  await receipts.look()
  expect(confirmed()).toEqual([])
  receipts.expect([unread(1), unread(2)])
  await receipts.look()
  expect(confirmed()).toEqual([2])
})

test('what was shown before the server started is found, up to a day after its delivery', async () => {
  transcript.inject(frame(1))
  clock.now += 3_600 * SECOND
  transcript.say('later')
  receipts.expect([unread(1, { offeredAgo: 3_600 * SECOND })])
  await receipts.look()
  expect(confirmed()).toEqual([1])
})

// A database that was begun anew counts from 1 again, while the transcript goes on.
test('an older message of the same number confirms nothing', async () => {
  transcript.inject(frame(1))
  clock.now += 60 * SECOND
  receipts.expect([unread(1, { state: 'offered', offeredAgo: 1 * SECOND })])
  await receipts.look()
  expect(confirmed()).toEqual([])
  transcript.inject(frame(1))
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
  expect(confirmed()).toEqual([])
})

test('after /clear the new transcript is read from its start, and the old one to its end', async () => {
  transcript.inject(frame(1))
  receipts.expect([unread(1), unread(2), unread(3)])
  await receipts.look()
  const next = openNext('second.jsonl')
  current = next.path
  await receipts.look()
  // It comes into being after the card names it, and the client still finishes the one before.
  transcript.inject(frame(2))
  next.inject(frame(3), { event: 'SessionStart' })
  await receipts.look()
  expect(new Set(confirmed())).toEqual(new Set([1, 2, 3]))
  expect(receipts.path()).toBe(next.path)
})

test('a session that comes back to an earlier transcript goes on where that was left', async () => {
  transcript.say('hello')
  receipts.expect([unread(1), unread(2)])
  await receipts.look()
  const other = openNext('second.jsonl')
  current = other.path
  other.inject(frame(1))
  await receipts.look()
  current = transcript.path
  transcript.inject(frame(2))
  await receipts.look()
  expect(confirmed()).toEqual([1, 2])
})

test('a transcript that is written anew, shorter or in place of the old one, is read anew', async () => {
  transcript.say('x'.repeat(10_000))
  receipts.expect([unread(1), unread(2)])
  await receipts.look()
  truncateSync(transcript.path, 0)
  transcript.inject(frame(1))
  await receipts.look()
  const beside = openNext('first.jsonl.new')
  beside.say('x'.repeat(20_000))
  beside.inject(frame(2))
  renameSync(beside.path, transcript.path)
  await receipts.look()
  expect(confirmed()).toEqual([1, 2])
})

test('lines that are no JSON are passed over', async () => {
  receipts.expect([unread(1)])
  transcript.append('{"type":"attachment","x":"<peer-message id=\n\u0000\u0000\nnull\n')
  transcript.inject(frame(1))
  await receipts.look()
  expect(confirmed()).toEqual([1])
})

test('without a known transcript it waits, and doubts nothing', async () => {
  current = undefined
  receipts.expect([unread(1)])
  for (let minute = 0; minute < 5; minute++) {
    clock.now += 60 * SECOND
    await receipts.look()
  }
  // What it is found to hold then is no growth.
  transcript.say('what was there before')
  current = transcript.path
  await receipts.look()
  clock.now += 60 * SECOND
  await receipts.look()
  expect(told).toEqual({ confirmed: [], doubted: [] })
  expect(receipts.isPressing()).toBe(true)
})

test('a delivery that does not show up in a minute of further growth is doubted, once', async () => {
  transcript.say('what was there before')
  receipts.expect([unread(1)])
  await receipts.look()
  clock.now += 300 * SECOND
  await receipts.look()
  expect(doubted()).toEqual([])
  transcript.say('it goes on')
  await receipts.look()
  clock.now += 59 * SECOND
  await receipts.look()
  expect(doubted()).toEqual([])
  clock.now += 1 * SECOND
  await receipts.look()
  expect(doubted()).toEqual([1])
  expect([receipts.isOpen(), receipts.isPressing()]).toEqual([true, false])
  clock.now += 60 * SECOND
  await receipts.look()
  expect(told).toEqual({ confirmed: [], doubted: [[1]] })
})

test('what shows up after all, late or after the doubt, is confirmed', async () => {
  receipts.expect([unread(1), unread(2, { doubted: true })])
  await receipts.look()
  transcript.say('it goes on')
  await receipts.look()
  clock.now += 600 * SECOND
  transcript.inject(frame(1, 2))
  await receipts.look()
  expect(told).toEqual({ confirmed: [[1, 2]], doubted: [] })
})

test('mail on offer is not doubted: it has not been handed over yet', async () => {
  receipts.expect([unread(1, { state: 'offered' })])
  await receipts.look()
  transcript.say('it goes on')
  await receipts.look()
  clock.now += 600 * SECOND
  await receipts.look()
  receipts.expect([unread(1)])
  await receipts.look()
  expect(doubted()).toEqual([])
  transcript.say('and on')
  await receipts.look()
  clock.now += 60 * SECOND
  await receipts.look()
  expect(doubted()).toEqual([1])
})

test('what the hub could not be told is told with a later look', async () => {
  hubIsUp = false
  receipts.expect([unread(1), unread(2)])
  transcript.inject(frame(1))
  await expect(receipts.look()).rejects.toThrow('no hub')
  hubIsUp = true
  // It has come back, and says what it knows.
  receipts.expect([unread(1), unread(2)])
  await receipts.look()
  expect(confirmed()).toEqual([1])
})

test('a server that starts anew finds what the one before had not confirmed', async () => {
  writeFileSync(transcript.path, `${'x'.repeat(500)}\n`.repeat(20_000))
  receipts.expect([unread(1)])
  transcript.inject(frame(1))
  receipts = start()
  receipts.expect([unread(1)])
  await receipts.look()
  expect(confirmed()).toEqual([1])
})
