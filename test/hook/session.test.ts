import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { joinAs } from '../harness/peer.ts'
import { openPair, type Pair } from '../harness/pair.ts'
import { preloadInto } from '../harness/preload.ts'
import { startSession, toContext } from '../harness/session.ts'

let pair: Pair
let home: Pair['home']
let api: Pair['api']
let web: Pair['web']

beforeAll(async () => {
  pair = await openPair()
  ;({ home, api, web } = pair)
})
afterAll(() => pair[Symbol.asyncDispose]())

test('a tool call without waiting mail starts no process behind the gate', async () => {
  const started = `${home.path}/started`
  const probe = `${home.path}/probe.cjs`
  await writeFile(probe, `require('node:fs').writeFileSync(${JSON.stringify(started)}, '')`)
  onTestFinished(preloadInto(home, probe))
  await api.mailTaken()
  expect(await api.hook('PostToolUse')).toEqual([{ code: 0, stdout: '', stderr: '' }])
  expect(existsSync(started)).toBe(false)
  await web.send('api', 'hello')
  await api.mailWaits()
  const [run] = await api.hook('PostToolUse')
  expect(toContext(run!)).toContain('hello')
  expect(existsSync(started)).toBe(true)
})

test('a turn that ends without waiting mail starts no Node, and one without an MCP server asks the hub', async () => {
  const started = `${home.path}/started-by-stop`
  const probe = `${home.path}/probe-stop.cjs`
  await writeFile(probe, `require('node:fs').writeFileSync(${JSON.stringify(started)}, '')`)
  onTestFinished(preloadInto(home, probe))
  await api.mailTaken()
  expect(await api.hook('Stop')).toEqual([{ code: 0, stdout: '', stderr: '' }])
  expect(existsSync(started)).toBe(false)
  await using deaf = await startSession(home, { cwd: await home.project('deaf') })
  await deaf.killMcp()
  await web.send('deaf', 'nobody rings')
  await rm(started)
  expect(await deaf.deliver('Stop')).toContain('nobody rings')
  expect(existsSync(started)).toBe(true)
})

test('the flag goes up with the mail, down when it is taken, and up again for what is left', async () => {
  await api.mailTaken()
  await web.send('api', 'x'.repeat(9_000))
  await web.send('api', 'the rest')
  await api.mailWaits()
  expect(await api.deliver('PostToolUse')).toContain('1 more waits')
  expect(await api.deliver('PostToolUse')).toContain('the rest')
  await api.mailTaken()
})

test('many short messages fill a frame, and what has no room comes next as if it was never offered', async () => {
  await api.mailTaken()
  await using docs = await joinAs(home, 'docs')
  const toText = (count: number) => `short message number ${count}`.padEnd(80, '.')
  const ids: number[] = []
  for (let count = 0; count < 56; count++) ids.push(await docs.send('api', toText(count)))
  await api.mailWaits()
  const first = await api.deliver('PostToolUse')
  expect(first.length).toBeLessThanOrEqual(9_500)
  expect(first.length).toBeGreaterThan(9_000)
  const left = Number(/\n(\d+) more waits? and will follow/.exec(first)![1])
  expect(left).toBeGreaterThan(0)
  const shown = ids.length - left
  expect([await docs.stateOf(ids[shown - 1]!), await docs.stateOf(ids[shown]!)]).toEqual([
    'delivered',
    'queued',
  ])
  const second = await api.deliver('PostToolUse')
  expect(second).not.toContain('redelivered')
  expect(`${first}${second}`.match(/(?<=\n)short message number .*(?=\n)/g)).toEqual(
    ids.map((_, index) => toText(index)),
  )
  await api.mailTaken()
})

test('mail for information opens the gate and leaves a turn alone', async () => {
  await api.mailTaken()
  await web.send('api', 'by the way', { urgency: 'fyi' })
  await api.mailWaits()
  expect(await api.deliver('Stop')).toBe('')
  expect(api.hasMailFlag()).toBe(true)
  expect(await api.deliver('PostToolUse')).toContain('by the way')
})

test('a subagent passes the gate and takes nothing', async () => {
  await api.mailTaken()
  await web.send('api', 'for the parent')
  await api.mailWaits()
  expect(await api.deliver('PostToolUse', { agent_id: 'a1' })).toBe('')
  expect(await api.deliver('PostToolUse')).toContain('for the parent')
})

test.each(['clear', 'resume', 'compact'])('a session that starts anew by %s has its mail', async (source) => {
  await web.send('api', `after ${source}`)
  expect(await api.deliver('SessionStart', { source })).toContain(`after ${source}`)
})

test('every hook of a session whose hub is gone ends well, and the mail comes later', async () => {
  await api.mailTaken()
  await web.send('api', 'kept')
  await api.mailWaits()
  const { pid } = await home.rendezvous()
  process.kill(pid, 'SIGSTOP')
  const events = ['PostToolUse', 'UserPromptSubmit', 'SessionStart', 'Stop']
  const runs = await Promise.all(events.map((event) => api.hook(event))).finally(() =>
    process.kill(pid, 'SIGCONT'),
  )
  expect(runs.flat()).toEqual(events.map(() => ({ code: 0, stdout: '', stderr: '' })))
  // The hub finds the calls when it goes on, and what it offered to them comes back after their lease.
  expect(api.hasMailFlag() || (await web.stateOf(1)) !== 'queued').toBe(true)
})
