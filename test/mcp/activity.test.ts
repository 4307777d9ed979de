import { spawn } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { watchActivity } from '../../apps/mcp/activity.ts'
import { sessionFile, setBusy, setMailFlag } from '../../lib/machine/cards.ts'
import type { Activity } from '../../lib/router/shapes/peers.ts'
import { waitFor } from '../harness/wait.ts'

const pid = process.pid
const IDLE: Activity = { activity: 'idle', wakeable: false, headless: false }

let home: string
let sessions: string
let told: Activity[]
const stops: (() => void)[] = []
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'claude-peers-activity-'))
  sessions = join(home, 'sessions')
  told = []
})
afterEach(async () => {
  for (const stop of stops.splice(0)) stop()
  await rm(home, { recursive: true, force: true })
})

const watch = (entrypoint = 'cli') =>
  void stops.push(watchActivity({ sessions, pid, entrypoint, onChange: (one) => told.push(one) }))
const next = () => waitFor(() => told.length > 0 && told.shift(), 'a change')

test('a session is told at once, also before it has a directory', async () => {
  watch()
  expect(told).toEqual([IDLE])
})

test.each(['sdk-cli', 'sdk-ts', 'sdk-py'])('a client of the kind %s is headless', (kind) => {
  watch(kind)
  expect(told).toEqual([{ ...IDLE, headless: true }])
})

test('it is busy while its mark is there, and told only when that changes', async () => {
  watch()
  expect(await next()).toEqual(IDLE)
  setBusy(sessions, pid, true)
  expect(await next()).toEqual({ ...IDLE, activity: 'busy' })
  setBusy(sessions, pid, true)
  setMailFlag(sessions, pid, 'wake')
  setBusy(sessions, pid + 1, true)
  setBusy(sessions, pid, false)
  expect(await next()).toEqual(IDLE)
  expect(told).toEqual([])
})

test('it can be woken while its waiter lives', async () => {
  const waiter = spawn('/bin/sleep', ['1000'])
  const seat = sessionFile(sessions, pid, 'waiter')
  watch()
  expect(await next()).toEqual(IDLE)
  writeFileSync(seat, `${waiter.pid}\n`)
  expect(await next()).toEqual({ ...IDLE, wakeable: true })
  rmSync(seat)
  expect(await next()).toEqual(IDLE)
  waiter.kill('SIGKILL')
  await waitFor(() => waiter.signalCode, 'the waiter to end')
  writeFileSync(seat, `${waiter.pid}\n`)
  setBusy(sessions, pid, true)
  expect(await next()).toEqual({ ...IDLE, activity: 'busy' })
})

test('after the end it tells nothing more', async () => {
  watch()
  expect(await next()).toEqual(IDLE)
  stops.pop()!()
  setBusy(sessions, pid, true)
  watch()
  expect(await next()).toEqual({ ...IDLE, activity: 'busy' })
  expect(told).toEqual([])
})
