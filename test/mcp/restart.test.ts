import { rm } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { anotherHub, createHome } from '../harness/home.ts'
import { joinAs } from '../harness/peer.ts'
import { startSession } from '../harness/session.ts'
import { waitFor } from '../harness/wait.ts'

test('a hub killed and started again finds the session under its name, with its mail', async () => {
  await using home = await createHome({ install: true })
  await using api = await startSession(home, { cwd: await home.project('api') })
  const first = await home.rendezvous()
  const card = api.card()!
  await home.cli(['send', 'api', 'before the crash'])
  await api.mailWaits()
  await home.stopHub('SIGKILL')
  await anotherHub(home, first.pid)
  await waitFor(() => api.card()?.hub?.pid !== first.pid, 'the renewed card')
  expect(api.card()).toMatchObject({ peerId: card.peerId, name: 'api', key: card.key })
  expect(await api.deliver('PostToolUse')).toContain('before the crash')
  await api.mailTaken()
  await home.cli(['send', 'api', 'after the crash'])
  await api.mailWaits()
  expect(await api.deliver('PostToolUse')).toContain('after the crash')
  expect((await api.tool('list_peers')).text).toMatch(/^You are api@laptop/)
})

test('what was described with set_summary outlives the hub', async () => {
  await using home = await createHome({ install: true })
  await using api = await startSession(home, { cwd: await home.project('api') })
  const { pid } = await home.rendezvous()
  await api.tool('set_summary', { summary: 'porting the server' })
  await home.stopHub('SIGKILL')
  await anotherHub(home, pid)
  expect((await api.tool('list_peers')).text).toContain('porting the server')
})

test('a tool call right after the crash starts the hub and is answered', async () => {
  await using home = await createHome({ install: true })
  await using api = await startSession(home, { cwd: await home.project('api') })
  await using web = await startSession(home, { cwd: await home.project('web') })
  await home.stopHub('SIGKILL')
  const { isError, text } = await web.tool('send_message', { to: 'api', message: 'through the crash' })
  expect([isError, text]).toEqual([undefined, expect.stringContaining('is stored')])
  await api.mailWaits()
  expect(await api.deliver('PostToolUse')).toContain('through the crash')
})

test('a hub that comes back on another port with another token is found again', async () => {
  await using home = await createHome({ install: true })
  await using api = await startSession(home, { cwd: await home.project('api') })
  const first = await home.rendezvous()
  const token = await home.token()
  await rm(`${home.path}/.claude-peers/token`)
  await home.stopHub('SIGKILL')
  await anotherHub(home, first.pid)
  expect(await home.token()).not.toBe(token)
  await waitFor(async () => api.card()?.token === (await home.token()), 'the renewed card')
  await using web = await joinAs(home, 'web')
  await web.send('api', 'at the new address')
  await api.mailWaits()
  expect(await api.deliver('PostToolUse')).toContain('at the new address')
  expect((await api.tool('list_peers')).text).toMatch(/^You are api@laptop/)
})

test('a session whose hub lost its database registers anew, with its name and summary', async () => {
  await using home = await createHome({ install: true })
  await using api = await startSession(home, { cwd: await home.project('api') })
  const { pid } = await home.rendezvous()
  const { key } = api.card()!
  await api.tool('set_summary', { summary: 'porting the server' })
  await home.stopHub('SIGKILL')
  for (const suffix of ['', '-wal', '-shm'])
    await rm(`${home.path}/.claude-peers.db${suffix}`, { force: true })
  await anotherHub(home, pid)
  await waitFor(() => api.card() && api.card()?.key !== key, 'the renewed card')
  expect((await api.tool('list_peers')).text).toMatch(/^You are api@laptop: .*porting the server/)
  await using web = await joinAs(home, 'web')
  await web.send('api', 'into the new database')
  await api.mailWaits()
  expect(await api.deliver('PostToolUse')).toContain('into the new database')
})

test('a tool call right after the database was lost is answered', async () => {
  await using home = await createHome({ install: true })
  await using api = await startSession(home, { cwd: await home.project('api') })
  await home.stopHub('SIGKILL')
  for (const suffix of ['', '-wal', '-shm'])
    await rm(`${home.path}/.claude-peers.db${suffix}`, { force: true })
  const { isError, text } = await api.tool('set_summary', { summary: 'still here' })
  expect([isError, text]).toEqual([undefined, expect.stringContaining('still here')])
})

test('a session whose card was removed leaves it anew', async () => {
  await using home = await createHome({ install: true })
  await using api = await startSession(home, { cwd: await home.project('api') })
  await using web = await joinAs(home, 'web')
  await rm(`${home.path}/.claude-peers/sessions`, { recursive: true })
  await web.send('api', 'are you there?')
  await api.mailWaits()
  expect(api.card()).toMatchObject({ name: 'api' })
  expect(await api.deliver('PostToolUse')).toContain('are you there?')
})
