import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { blockPort } from '../harness/blocker.ts'
import { createHome } from '../harness/home.ts'
import { startSession } from '../harness/session.ts'
import { toLabel } from '../../lib/machine/processes.ts'

test('the card is there before initialize is answered, so the first prompt has the mail that waits', async () => {
  await using home = await createHome({ install: true })
  await using api = await startSession(home, { cwd: await home.project('api') })
  expect(api.hadCard).toBe(true)
  expect(api.card()).toMatchObject({ name: 'api', claude: { pid: api.pid }, sessionIds: [api.sessionId] })
  await api[Symbol.asyncDispose]()
  await home.cli(['send', 'api', 'while you were away'])
  await using next = await startSession(home, { cwd: `${home.path}/api` })
  expect(await next.deliver('UserPromptSubmit')).toContain('while you were away')
})

test('without a hub it answers within about two seconds, its tools say why, and it recovers', async () => {
  await using home = await createHome({ install: true })
  await using blocker = await blockPort()
  const env = { CLAUDE_PEERS_PORT: String(blocker.port) }
  const cwd = await home.project('api')
  const before = performance.now()
  await using api = await startSession(home, { cwd, env, registered: false })
  // One that waited for the hub would do so for the 15 s in which that may start.
  expect(performance.now() - before).toBeLessThan(10_000)
  expect(api.hadCard).toBe(false)
  const { isError, text } = await api.tool('list_peers')
  expect(isError).toBe(true)
  expect(text).toMatch(/cannot listen.*CLAUDE_PEERS_PORT/s)
  expect(text).not.toContain('mailbox key')
  await blocker[Symbol.asyncDispose]()
  // A hub that could not start is not tried again by every call, but soon.
  await expect
    .poll(async () => (await api.tool('list_peers')).text, { timeout: 20_000, interval: 200 })
    .toMatch(/^You are api@laptop/)
  expect(api.card()).toBeDefined()
})

test('it recovers by itself when nobody calls a tool', async () => {
  await using home = await createHome({ install: true })
  await using blocker = await blockPort()
  const env = { CLAUDE_PEERS_PORT: String(blocker.port) }
  await using api = await startSession(home, { cwd: await home.project('api'), env, registered: false })
  await blocker[Symbol.asyncDispose]()
  await expect.poll(() => api.card()?.name, { timeout: 10_000 }).toBe('api')
})

test('a remote hub that does not answer is named, and nothing is started here', async () => {
  await using home = await createHome({ install: true })
  await using blocker = await blockPort()
  // Not this machine by its name, and the same loopback by its address.
  const env = { CLAUDE_PEERS_BROKER_URL: `http://0.0.0.0:${blocker.port}`, CLAUDE_PEERS_TOKEN: 'x' }
  await using api = await startSession(home, { cwd: await home.project('api'), env, registered: false })
  const { isError, text } = await api.tool('list_peers')
  expect(isError).toBe(true)
  expect(text).toMatch(/The hub at http:\/\/0\.0\.0\.0:\d+ does not answer/)
  await expect(home.rendezvous()).rejects.toThrow('ENOENT')
})

test('an empty session id, a slow git and a long path do not keep a session from its seat', async () => {
  await using home = await createHome({ install: true })
  await mkdir(`${home.path}/bin`)
  await writeFile(`${home.path}/bin/git`, '#!/bin/sh\nexec sleep 1000\n')
  await chmod(`${home.path}/bin/git`, 0o755)
  const cwd = await home.project(Array.from({ length: 4 }, () => 'd'.repeat(200)).join('/'))
  const env = { PATH: `${home.path}/bin:${home.env['PATH']}`, CLAUDE_CODE_SESSION_ID: '' }
  await using session = await startSession(home, { cwd, env })
  expect((await session.tool('list_peers')).text).toMatch(/^You are d+@laptop/)
  expect(session.card()).toBeDefined()
})

test('cards that cannot be read, and those of processes that are gone, are no hindrance', async () => {
  await using home = await createHome({ install: true })
  const sessions = `${home.path}/.claude-peers/sessions`
  await mkdir(`${sessions}/${toLabel(process.pid)}.json`, { recursive: true })
  await writeFile(`${sessions}/${toLabel(999_999_999)}.json`, '{"half')
  await writeFile(`${sessions}/${toLabel(999_999_999)}.mail`, '')
  await using api = await startSession(home, { cwd: await home.project('api') })
  expect(api.card()).toBeDefined()
  await expect(chmod(`${sessions}/${toLabel(999_999_999)}.mail`, 0o600)).rejects.toThrow('ENOENT')
})
