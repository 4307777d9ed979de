import { mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { keepLooking } from '../../apps/mcp/keeper.ts'
import { setMailFlag } from '../../lib/machine/cards.ts'
import { makePrivateDir } from '../../lib/machine/paths.ts'
import { waitFor } from '../harness/wait.ts'

const pid = process.pid

let home: string
let sessions: string
let looks: number
let pressing: boolean
let stop: () => void
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'claude-peers-keeper-'))
  sessions = join(home, 'sessions')
  looks = 0
  pressing = false
  stop = keepLooking({
    sessions,
    pid,
    kinds: ['mail'],
    isPressing: () => pressing,
    look: () => void looks++,
  })
})
afterEach(async () => {
  stop()
  await rm(home, { recursive: true, force: true })
})

/** After its first look by the clock it rests: the next within half a minute comes from a change. */
const rest = () => waitFor(() => looks === 1, 'the first look')

test('the files of a session are looked after once after several changes', async () => {
  await rest()
  for (let change = 0; change < 5; change++) setMailFlag(sessions, pid, change % 2 ? undefined : 'wake')
  await waitFor(() => looks > 1, 'a look')
  expect(looks).toBe(2)
})

test('the files are looked after again and again while mail is to wake the session', async () => {
  pressing = true
  expect(await waitFor(() => looks > 2, 'three looks')).toBe(true)
})

test.each([
  ['removed', () => rm(sessions, { recursive: true })],
  ['moved away', () => rename(sessions, `${sessions}-before`)],
])('a directory that was %s and is there again is watched again', async (_, replace) => {
  await rest()
  await replace()
  await waitFor(() => looks === 2, 'a look after the directory went')
  makePrivateDir(sessions)
  setMailFlag(sessions, pid, 'wake')
  expect(await waitFor(() => looks === 3, 'a look after the next change')).toBe(true)
})
