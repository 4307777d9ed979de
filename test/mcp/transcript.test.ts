import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { followTranscript, type Follower } from '../../apps/mcp/transcript.ts'
import { openTranscript, type Transcript } from '../harness/transcript.ts'
import { waitFor } from '../harness/wait.ts'

const FRAME = (id: number) =>
  `<peer-mail network="claude-peers">\nhello\n<peer-message id="${id}" from="web@laptop">\nhi\n</peer-message>\n</peer-mail>`
const unread = (id: number) => ({ id, state: 'delivered' as const, offeredAgo: 0 })

let directory: string
let transcript: Transcript
let follower: Follower
let confirmed: number[]
let looks: number

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'claude-peers-follow-'))
  transcript = openTranscript(join(directory, 'session.jsonl'))
  confirmed = []
  looks = 0
  follower = followTranscript({
    transcripts: () => (looks++, { current: transcript.path, past: [] }),
    toolPrefix: 'mcp__claude-peers__',
    confirm: async (ids) => void confirmed.push(...ids),
    requeue: async () => undefined,
  })
})
afterEach(() => {
  follower.close()
  rmSync(directory, { recursive: true, force: true })
})

function show(id: number) {
  transcript.inject(FRAME(id))
  transcript.reply()
}

test('a line that is written later is found, also where there was no file before', async () => {
  follower.expect([unread(1), unread(2)])
  await waitFor(() => looks > 1, 'a look for the file')
  show(1)
  await waitFor(() => confirmed.includes(1), 'the first')
  show(2)
  await waitFor(() => confirmed.includes(2), 'the second')
  expect(confirmed).toEqual([1, 2])
})

test('nothing is looked at before mail is expected, nor once all is confirmed', async () => {
  show(1)
  expect(looks).toBe(0)
  follower.expect([])
  expect(looks).toBe(0)
  follower.expect([unread(1)])
  await waitFor(() => confirmed.length === 1, 'the message')
  follower.expect([])
  const before = looks
  for (let line = 0; line < 20; line++) show(2)
  // Mail again: it reads on from where it was.
  follower.expect([unread(2)])
  await waitFor(() => confirmed.includes(2), 'the next message')
  expect(looks - before).toBeLessThanOrEqual(3)
})

test('a closed follower tells nothing more', async () => {
  follower.expect([unread(1)])
  follower.close()
  show(1)
  follower.expect([unread(1)])
  const other = followTranscript({
    transcripts: () => ({ current: transcript.path, past: [] }),
    toolPrefix: '',
    confirm: async (ids) => void confirmed.push(...ids.map((id) => -id)),
    requeue: async () => undefined,
  })
  other.expect([unread(1)])
  await waitFor(() => confirmed.length > 0, 'another follower')
  other.close()
  expect(confirmed).toEqual([-1])
})
