import { expect, test } from 'vitest'
import { createHome } from '../harness/home.ts'
import { takeLinksFrom } from '../harness/linkless.ts'
import { startSession } from '../harness/session.ts'
import { waitFor } from '../harness/wait.ts'

test('in a home without hard links the tools answer, a waiter stands, and mail wakes', async () => {
  await using home = await createHome({ install: true })
  await takeLinksFrom(home)
  await using web = await startSession(home, { cwd: await home.project('web', { git: true }) })
  await using api = await startSession(home, { cwd: await home.project('api', { git: true }) })
  expect((await web.tool('list_peers')).text).toContain('api@laptop')
  const waiter = api.waiter()
  await waitFor(() => api.waiterPid(), 'the waiter to take its place')
  const state = async () => (await web.tool('list_peers')).text
  await waitFor(
    async () => (await state()).includes('api@laptop: idle, mail wakes it'),
    'the hub to know of it',
  )
  expect((await web.tool('send_message', { to: 'api', message: 'wake up' })).text).toContain('waking it now')
  expect(await waiter).toMatchObject([{ code: 2 }])
  expect(await api.deliver('UserPromptSubmit')).toContain('wake up')
})
