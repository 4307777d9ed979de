import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hasTurnEnded } from '../../apps/mcp/turn.ts'

const SINCE = Date.UTC(2026, 10, 20, 9)
const LONG = 5 * 60_000 + 1
const at = (ms: number) => new Date(SINCE + ms).toISOString()
const user = (content: unknown, ms = 10) => ({ type: 'user', timestamp: at(ms), message: { content } })
const assistant = (content: unknown, more: object = {}) => ({
  type: 'assistant',
  timestamp: at(10),
  message: { content },
  ...more,
})
const INTERRUPT = user([{ type: 'text', text: '[Request interrupted by user for tool use]' }])
const BOOKKEEPING = [
  { type: 'mode', mode: 'normal' },
  { type: 'attachment', attachment: { type: 'skill_listing' } },
  { type: 'file-history-snapshot' },
]

let directory: string
let file: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'claude-peers-turn-'))
  file = join(directory, 'session.jsonl')
})
afterEach(() => rmSync(directory, { recursive: true }))

/** Whether a turn has ended whose transcript ends so, some ms after its last line was written. */
function ended(entries: object[], { later = 0, before = '' } = {}) {
  writeFileSync(file, before + entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
  utimesSync(file, SINCE / 1_000, SINCE / 1_000)
  return hasTurnEnded(file, { since: SINCE, waitsSince: SINCE, now: SINCE + later })
}

describe('a turn without a stop has ended', () => {
  test.each([
    ['when the user interrupts it', [INTERRUPT]],
    [
      'when the user interrupts its tool',
      [assistant([{ type: 'tool_use' }]), user([{ type: 'tool_result' }]), INTERRUPT],
    ],
    ['when the interrupt is told as plain text', [user('[Request interrupted by user]')]],
    [
      'when the API fails',
      [user('hello'), assistant([{ type: 'text', text: 'API Error: 400' }], { isApiErrorMessage: true })],
    ],
    [
      'when the client has summed it up',
      [assistant([]), { type: 'system', subtype: 'turn_duration', timestamp: at(20) }],
    ],
    [
      'when another hook blocks the prompt',
      [
        {
          type: 'system',
          subtype: 'informational',
          content: 'UserPromptSubmit operation blocked by hook:\n[exit 2]: no\n\nOriginal prompt: hello',
          timestamp: at(1),
        },
      ],
    ],
    ['whatever the client notes behind', [INTERRUPT, ...BOOKKEEPING]],
    ['whatever a subagent still writes', [INTERRUPT, { ...user('go on'), isSidechain: true }]],
  ])('%s', (_, entries) => {
    expect(ended(entries)).toBe(true)
  })

  test('also behind a line that was cut, and in a long transcript', () => {
    const before = `${JSON.stringify(user('x'.repeat(200_000)))}\n{"type":"assist\n`
    expect(ended([INTERRUPT], { before })).toBe(true)
  })

  test('when nothing was written for five minutes, and no tool is at work', () => {
    expect(ended([user('hello'), ...BOOKKEEPING], { later: LONG })).toBe(true)
    expect(ended([user('hello')], { later: LONG - 2 })).toBe(false)
    expect(ended([assistant([{ type: 'tool_use' }])], { later: 100 * LONG })).toBe(false)
  })
})

describe('of two tools at once', () => {
  const call = (id: string) => ({ ...assistant([{ type: 'tool_use', id }]), isSidechain: false })
  const answerOf = (id: string, entry: ReturnType<typeof call>) => ({
    ...entry,
    message: { id, ...entry.message },
  })
  const calls = [answerOf('m2', call('t1')), answerOf('m2', call('t2'))]
  const result = (id: string) => user([{ type: 'tool_result', tool_use_id: id }])
  const before = [user('hello'), answerOf('m1', call('t0')), result('t0')]

  test.each([
    ['one that is done leaves the other at work', [...before, ...calls, result('t1')], false],
    ['the later may be the one', [...before, ...calls, result('t2')], false],
    ['a result may stand before the next call', [...before, calls[0]!, result('t1'), calls[1]!], false],
    ['none works when both are done', [...before, ...calls, result('t2'), result('t1')], true],
    ['none works when a prompt came behind', [...before, ...calls, result('t1'), user('again')], true],
    [
      'one of an answer before counts for nothing',
      [answerOf('m0', call('lost')), user('hello'), ...calls, result('t1'), result('t2')],
      true,
    ],
  ])('%s', (_, entries, isOver) => {
    expect(ended(entries, { later: LONG })).toBe(isOver)
  })
})

describe('a turn goes on', () => {
  test.each([
    ['after its prompt', [user('hello')]],
    ['while it works', [assistant([{ type: 'text', text: 'let me see' }])]],
    ['while a tool works', [assistant([{ type: 'tool_use' }])]],
    ['after a tool', [user([{ type: 'tool_result', content: '[Request interrupted by user' }])]],
    ['though the one before it was interrupted', [user('[Request interrupted by user]', -1)]],
    [
      'though the one before it was summed up',
      [{ type: 'system', subtype: 'turn_duration', timestamp: at(-1) }],
    ],
  ])('%s', (_, entries) => {
    expect(ended(entries)).toBe(false)
  })

  test('as long as the transcript is empty', () => {
    expect(ended([], { later: LONG })).toBe(false)
  })
})

describe('where no transcript is kept, a turn has ended', () => {
  test.each([
    ['once mail waits in it for long', { waitsSince: SINCE, now: SINCE + LONG }, true],
    ['not while that mail is new', { waitsSince: SINCE + LONG, now: SINCE + LONG + 1 }, false],
    ['not while the turn is new', { waitsSince: SINCE - LONG, now: SINCE + 1 }, false],
  ])('%s', (_, when, has) => {
    for (const transcript of [undefined, join(directory, 'none')]) {
      expect(hasTurnEnded(transcript, { since: SINCE, ...when })).toBe(has)
    }
  })
})

test.each([
  [[null]],
  [{ type: 'user', message: null, timestamp: at(10) }],
  [{ type: 'user', message: { content: [null, { text: 1 }] }, timestamp: at(10) }],
  [{ type: 'user', message: { content: 'hello' }, timestamp: { toString: null, valueOf: null } }],
])('a line in which nothing is what it should be ends no turn, and no server: %j', (line) => {
  expect(ended([line])).toBe(false)
})

test.each([{}, [null, 1], [{ type: null }]])('an answer of the shape %j has no tool at work', (content) => {
  expect(ended([assistant(content)], { later: LONG })).toBe(true)
})

test('a transcript that is none of the client’s, or no file, ends no turn and nothing else', () => {
  const odd: object[] = [
    user({ type: 'text' }),
    user([null, 7, 'text', { text: 7 }, { text: { text: '' } }]),
    assistant(7),
    assistant([null, { type: 'tool_use' }]),
    { type: 'user', timestamp: 7, message: 'text' },
    { type: 'user', timestamp: at(10), message: null },
  ]
  for (const entry of odd) expect(ended([entry])).toBe(false)
  for (const entry of odd) expect(() => ended([...odd, entry], { later: LONG })).not.toThrow()
  expect(hasTurnEnded(directory, { since: SINCE, waitsSince: SINCE, now: SINCE })).toBe(false)
})
