/** Sessions that began before their machine joined the hub of another. */
import { writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { createHome, type Home } from '../harness/home.ts'
import { blockPort } from '../harness/blocker.ts'
import { startSession } from '../harness/session.ts'
import { waitFor } from '../harness/wait.ts'

/** What `claude-peers join` writes. */
const join = (home: Home, port: number) =>
  writeFile(
    `${home.path}/.claude-peers.json`,
    JSON.stringify({ broker_url: `http://127.0.0.1:${port}`, token: 'a-token-of-the-other-machine' }),
  )

test('go on with the hub of this machine, also when it dies and is started again, and when their server restarts', async () => {
  await using home = await createHome({ install: true })
  await using elsewhere = await blockPort()
  await using web = await startSession(home, { cwd: await home.project('web') })
  await using api = await startSession(home, { cwd: await home.project('api') })
  const before = api.card()!
  await join(home, elsewhere.port)
  const died = await home.rendezvous()
  await home.stopHub('SIGKILL')
  const back = await waitFor(async () => {
    const now = await home.rendezvous()
    return now.pid !== died.pid && (await web.tool('list_peers')).isError !== true ? now : undefined
  }, 'the hub of this machine to be started again')
  expect((await web.tool('send_message', { to: 'api', message: 'still here?' })).data['message_id']).toBe(1)
  await waitFor(() => api.card()?.hubUrl === back.url, 'the card to follow')
  await api.mailWaits()
  expect(await api.deliver('PostToolUse')).toContain('still here?')
  await api.restartMcp()
  await waitFor(() => api.card(), 'the card of the new server')
  expect(api.card()).toMatchObject({ peerId: before.peerId, name: 'api', hubUrl: back.url })
  await api.killMcp()
  await api.startMcp(0)
  await waitFor(() => api.card()?.hubUrl === back.url, 'the card of the next one')
  expect(api.card()).toMatchObject({ peerId: before.peerId, name: 'api' })
  await using late = await startSession(home, { cwd: await home.project('late'), registered: false })
  expect((await late.tool('list_peers')).text).toContain(`The hub at http://127.0.0.1:${elsewhere.port}`)
}, 60_000)
