import { spawn } from 'node:child_process'
import { appendFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { watchActivity, type ActivityWatch } from '../../apps/mcp/activity.ts'
import { sessionFile, setBusy, setMailFlag, writeCard } from '../../lib/machine/cards.ts'
import type { Activity } from '../../lib/router/shapes/peers.ts'
import { waitFor } from '../harness/wait.ts'

const pid = process.pid
const IDLE: Activity = { activity: 'idle', wakeable: false, headless: false }
const NEW: Activity = { ...IDLE, obstacle: 'unproven' }
const BUSY: Activity = { ...IDLE, activity: 'busy' }

let home: string
let sessions: string
let told: Activity[]
const watches: ActivityWatch[] = []
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'claude-peers-activity-'))
  sessions = join(home, 'sessions')
  told = []
})
afterEach(async () => {
  for (const one of watches.splice(0)) one.stop()
  await rm(home, { recursive: true, force: true })
})

function watch({ entrypoint = 'cli', words = ['claude'] } = {}) {
  const watching = watchActivity({ sessions, pid, entrypoint, words, onChange: (one) => told.push(one) })
  watches.push(watching)
  return watching
}
const next = () => waitFor(() => told.length > 0 && told.shift(), 'a change')

/** What a hook leaves behind that has run in this session. */
function leaveTranscript(): string {
  const transcript = join(home, 'transcript.jsonl')
  writeFileSync(transcript, '{}\n')
  const own = { pid, start: undefined }
  writeCard(sessions, {
    hubUrl: '',
    token: '',
    peerId: 'p_1',
    name: 'api',
    key: 'p_1.secret',
    toolPrefix: '',
    claude: own,
    mcp: own,
    sessionIds: [],
    transcript,
  })
  return transcript
}

test('a session is told at once, also before it has a directory', () => {
  watch()
  expect(told).toEqual([NEW])
})

test.each(['sdk-cli', 'sdk-ts', 'sdk-py'])('a client of the kind %s is headless', (entrypoint) => {
  watch({ entrypoint })
  expect(told).toEqual([{ ...NEW, headless: true }])
})

test.each([
  ['two words', ['claude', '-p', '--input-format', 'stream-json', '--verbose']],
  ['one word', ['claude', '-p', '--input-format=stream-json']],
])('a headless client that is told by %s to read prompts from a program is a stream', (_, words) => {
  leaveTranscript()
  watch({ entrypoint: 'sdk-cli', words })
  expect(told).toEqual([{ ...IDLE, headless: true, obstacle: 'stream' }])
})

test.each([
  ['that only writes for a program', 'sdk-cli', ['claude', '-p', '--output-format', 'stream-json']],
  ['whose prompt speaks of it', 'sdk-cli', ['claude', '-p', 'what is --input-format stream-json?']],
  ['with a person at its prompt', 'claude-vscode', ['claude', '--input-format', 'stream-json']],
])('a client %s is no stream', (_, entrypoint, words) => {
  leaveTranscript()
  watch({ entrypoint, words })
  expect(told[0]).not.toHaveProperty('obstacle')
})

test('it is busy while its mark is there, and told only when that changes', async () => {
  watch()
  expect(await next()).toEqual(NEW)
  setBusy(sessions, pid, true)
  expect(await next()).toEqual(BUSY)
  setBusy(sessions, pid, true)
  setMailFlag(sessions, pid, 'wake')
  setBusy(sessions, pid + 1, true)
  setBusy(sessions, pid, false)
  expect(await next()).toEqual(IDLE)
  expect(told).toEqual([])
})

test('it can be woken while its waiter lives', async () => {
  const script = join(home, 'waiter.sh')
  writeFileSync(script, 'read -r line')
  const waiter = spawn('/bin/sh', [script, String(pid)], { stdio: ['pipe', 'ignore', 'ignore'] })
  const seat = sessionFile(sessions, pid, 'waiter')
  watch()
  expect(await next()).toEqual(NEW)
  writeFileSync(seat, `${waiter.pid}\n`)
  expect(await next()).toEqual({ ...IDLE, wakeable: true })
  rmSync(seat)
  expect(await next()).toEqual(IDLE)
  waiter.kill('SIGKILL')
  await waitFor(() => waiter.signalCode, 'the waiter to end')
  writeFileSync(seat, `${waiter.pid}\n`)
  setBusy(sessions, pid, true)
  expect(await next()).toEqual(BUSY)
})

test.each(['', `${process.ppid}\n`, 'x\n'])('a seat of the waiter that holds %j wakes nobody', (text) => {
  leaveTranscript()
  writeFileSync(sessionFile(sessions, pid, 'waiter'), text)
  watch()
  expect(told).toEqual([IDLE])
})

describe('a session in which no hook has run', () => {
  test('is told to have none once it calls a tool, and is as others when one runs after all', async () => {
    const watching = watch()
    expect(await next()).toEqual(NEW)
    watching.noteCall()
    expect(await next()).toEqual({ ...IDLE, obstacle: 'no-hooks' })
    setBusy(sessions, pid, true)
    expect(await next()).toEqual(BUSY)
    setBusy(sessions, pid, false)
    expect(await next()).toEqual(IDLE)
    watching.noteCall()
    expect(told).toEqual([])
  })

  test('is another agent’s from the start, whatever is left beside its card', async () => {
    leaveTranscript()
    const watching = watch()
    expect(await next()).toEqual(IDLE)
    watching.noteForeign()
    expect(await next()).toEqual({ ...IDLE, obstacle: 'no-hooks' })
  })
})

describe('a question to its user', () => {
  const ask = () => writeFileSync(sessionFile(sessions, pid, 'asks'), '')
  const ago = (path: string, seconds: number) => {
    const time = new Date(Date.now() - seconds * 1_000)
    utimesSync(path, time, time)
  }

  test('stands until the transcript goes on', async () => {
    const transcript = leaveTranscript()
    setBusy(sessions, pid, true)
    ago(sessionFile(sessions, pid, 'busy'), 10)
    ago(transcript, 6)
    watch()
    expect(await next()).toEqual(BUSY)
    ask()
    expect(await next()).toEqual({ ...BUSY, obstacle: 'dialog' })
    appendFileSync(transcript, '{}\n')
    expect(await next()).toEqual(BUSY)
  })

  test('of an earlier turn does not stand, nor one whose turn has ended', async () => {
    const transcript = leaveTranscript()
    ago(transcript, 60)
    ask()
    ago(sessionFile(sessions, pid, 'asks'), 30)
    watch()
    expect(await next()).toEqual(IDLE)
    setBusy(sessions, pid, true)
    expect(await next()).toEqual(BUSY)
  })

  test('is not told of where no transcript would tell of its answer', async () => {
    rmSync(leaveTranscript())
    setBusy(sessions, pid, true)
    ask()
    watch()
    expect(told).toEqual([BUSY])
  })
})

test('after the end it tells nothing more', async () => {
  watch().stop()
  expect(await next()).toEqual(NEW)
  setBusy(sessions, pid, true)
  watch()
  expect(await next()).toEqual(BUSY)
  expect(told).toEqual([])
})
