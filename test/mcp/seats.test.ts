import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { isAlive } from '../../lib/machine/processes.ts'
import { anotherHub, createHome } from '../harness/home.ts'
import { joinAs } from '../harness/peer.ts'
import { startSession, type Session } from '../harness/session.ts'
import { waitFor } from '../harness/wait.ts'

const nameOf = (session: Session) => session.card()?.name

test('a server killed and started again under the same Claude process keeps seat, name and key', async () => {
  await using home = await createHome({ install: true })
  await using api = await startSession(home, { cwd: await home.project('api') })
  await using web = await joinAs(home, 'web')
  const before = api.card()!
  await api.killMcp()
  const id = await web.send('api', 'while the server was gone')
  await api.startMcp(0)
  expect(api.card()).toMatchObject({ peerId: before.peerId, name: 'api', key: before.key })
  await api.mailWaits()
  expect(await api.deliver('PostToolUse')).toContain('while the server was gone')
  expect(await web.stateOf(id)).toBe('delivered')
})

test('without its server a session still gets its mail, and the gate is not left open', async () => {
  await using home = await createHome({ install: true })
  await using api = await startSession(home, { cwd: await home.project('api') })
  await using web = await joinAs(home, 'web')
  await web.send('api', 'one')
  await api.mailWaits()
  await api.killMcp()
  expect(await api.deliver('PostToolUse')).toContain('one')
  expect(api.hasMailFlag()).toBe(false)
  await web.send('api', 'two')
  expect(await api.deliver('PostToolUse')).toBe('')
  expect(await api.deliver('Stop')).toContain('two')
})

test('two servers of one session share a seat, and the one that stays serves on', async () => {
  await using home = await createHome({ install: true })
  await using api = await startSession(home, { cwd: await home.project('api') })
  await using web = await joinAs(home, 'web')
  await api.startMcp(1)
  const [one, two] = await Promise.all([
    api.tool('list_peers', {}, { server: 0 }),
    api.tool('list_peers', {}, { server: 1 }),
  ])
  expect(one.text).toMatch(/^You are api@laptop/)
  expect(two.data['you']).toEqual(one.data['you'])
  await api.stopMcp(1)
  await waitFor(() => api.card() !== undefined, 'the card of the server that stays')
  await web.send('api', 'to the one that stays')
  await api.mailWaits()
  expect(await api.deliver('PostToolUse')).toContain('to the one that stays')
  expect((await api.tool('set_summary', { summary: 'still here' })).isError).toBeUndefined()
  const { peers } = await web.hub.peers.list.query()
  expect(peers.filter((peer) => peer.name.startsWith('api'))).toMatchObject([
    { name: 'api', state: 'online' },
  ])
})

test('two servers started at once agree on one key', async () => {
  await using home = await createHome({ install: true })
  await using api = await startSession(home, { cwd: await home.project('api') })
  await api.stopMcp(0)
  await Promise.all([api.startMcp(0), api.startMcp(1)])
  for (const server of [0, 1, 0, 1]) {
    const { isError, text } = await api.tool('set_summary', { summary: 'shared' }, { server })
    expect([isError, text]).toEqual([undefined, expect.stringContaining('shared')])
  }
  await using web = await joinAs(home, 'web')
  await web.send('api', 'to both')
  expect(await waitFor(() => api.deliver('PostToolUse'), 'the mail')).toContain('to both')
})

test('the next session of a repository inherits name and mail of one that was killed, and is told so', async () => {
  await using home = await createHome({ install: true })
  const cwd = await home.project('api', { git: true })
  await using first = await startSession(home, { cwd })
  await using web = await joinAs(home, 'web')
  const pid = await first.mcpPid()
  await first.kill('SIGKILL')
  await waitFor(() => !isAlive(pid), 'its server to be gone')
  await web.send('api', 'to whoever comes next')
  await using next = await startSession(home, { cwd })
  expect(nameOf(next)).toBe('api')
  const text = await next.deliver('UserPromptSubmit')
  expect(text).toContain('to whoever comes next')
  expect(text).toContain('for="the previous session of this name')
})

test('a resumed session gets its own seat back even when another one is free', async () => {
  await using home = await createHome({ install: true })
  const cwd = await home.project('api')
  const first = await startSession(home, { cwd })
  const second = await startSession(home, { cwd })
  await using web = await joinAs(home, 'web')
  expect([nameOf(first), nameOf(second)]).toEqual(['api', 'api-2'])
  await first[Symbol.asyncDispose]()
  await second[Symbol.asyncDispose]()
  await web.send('api', 'for the first')
  await web.send('api-2', 'for the second')
  await using resumed = await startSession(home, { cwd, sessionId: second.sessionId })
  expect(nameOf(resumed)).toBe('api-2')
  const text = await resumed.deliver('UserPromptSubmit')
  expect(text).toContain('for the second')
  expect(text).not.toContain('previous session')
})

test('live sessions in one directory keep apart, also when they show one session id', async () => {
  await using home = await createHome({ install: true })
  const cwd = await home.project('api')
  const sessionId = randomUUID()
  await using first = await startSession(home, { cwd, sessionId })
  await using second = await startSession(home, { cwd })
  await using third = await startSession(home, { cwd, sessionId })
  expect([first, second, third].map(nameOf)).toEqual(['api', 'api-2', 'api-3'])
  await using web = await joinAs(home, 'web')
  await web.send('api-3', 'for the third')
  await third.mailWaits()
  expect(await first.deliver('UserPromptSubmit')).toBe('')
  expect(await second.deliver('UserPromptSubmit')).toBe('')
  expect(await third.deliver('UserPromptSubmit')).toContain('for the third')
})

test('after /clear and a hub restart the session has its name, its mail, and answers to its new id', async () => {
  await using home = await createHome({ install: true })
  const cwd = await home.project('api')
  const api = await startSession(home, { cwd })
  const cleared = { session_id: randomUUID() }
  await api.hook('SessionStart', { source: 'clear', ...cleared })
  const { pid } = await home.rendezvous()
  await home.stopHub('SIGKILL')
  await anotherHub(home, pid)
  await using web = await joinAs(home, 'web')
  await web.send('api', 'after the clear')
  await api.mailWaits()
  expect(await api.deliver('PostToolUse', cleared)).toContain('after the clear')
  expect(nameOf(api)).toBe('api')
  await using other = await startSession(home, { cwd })
  expect(nameOf(other)).toBe('api-2')
  await api[Symbol.asyncDispose]()
  await other[Symbol.asyncDispose]()
  await using resumed = await startSession(home, { cwd, sessionId: cleared.session_id })
  expect(nameOf(resumed)).toBe('api')
})

test('a /clear that found no hub is made up for by the next event', async () => {
  await using home = await createHome({ install: true })
  const cwd = await home.project('api')
  const api = await startSession(home, { cwd })
  await using other = await startSession(home, { cwd })
  const cleared = { session_id: randomUUID() }
  const hub = await home.rendezvous()
  process.kill(hub.pid, 'SIGSTOP')
  const [run] = await api.hook('SessionStart', { source: 'clear', ...cleared })
  process.kill(hub.pid, 'SIGCONT')
  expect(run).toMatchObject({ code: 0, stdout: '' })
  await api.hook('UserPromptSubmit', cleared)
  expect(api.card()?.sessionIds).toEqual([api.sessionId, cleared.session_id])
  await api[Symbol.asyncDispose]()
  await other[Symbol.asyncDispose]()
  await using resumed = await startSession(home, { cwd, sessionId: cleared.session_id })
  expect(nameOf(resumed)).toBe('api')
})

test('behind a shell the server still finds the Claude process that its hooks have as parent', async () => {
  await using home = await createHome({ install: true })
  const cwd = await home.project('api')
  await using api = await startSession(home, { cwd, wrapper: ['/bin/sh', '-c', '"$@"; exit', 'sh'] })
  expect(api.card()).toMatchObject({ claude: { pid: api.pid } })
  await using web = await joinAs(home, 'web')
  await web.send('api', 'through a shell')
  await api.mailWaits()
  expect(await api.deliver('PostToolUse')).toContain('through a shell')
})
