import Sqlite from 'better-sqlite3'
import { expect, test } from 'vitest'
import { createHome, type Home } from '../harness/home.ts'
import { startSession } from '../harness/session.ts'
import { waitFor } from '../harness/wait.ts'

/** Lets the time pass that a question has, while no hub runs. */
function endWait(home: Home, messageId: number) {
  const sqlite = new Sqlite(`${home.path}/.claude-peers.db`)
  try {
    const update = sqlite.prepare('update deliveries set reply_by = queued_at where message_id = ?')
    expect(update.run(messageId).changes).toBe(1)
  } finally {
    sqlite.close()
  }
}

test('a question whose time ends while the hub is killed comes back as one note, however often it is killed', async () => {
  await using home = await createHome({ install: true })
  await using web = await startSession(home, { cwd: await home.project('web') })
  await using api = await startSession(home, { cwd: await home.project('api') })
  const { data } = await web.tool('send_message', {
    to: 'api',
    message: 'which port?',
    expects_reply_within: 60,
  })
  const id = data['message_id'] as number
  await api.mailWaits()
  expect(await api.deliver('PostToolUse')).toContain('reply="awaited within 60 min')

  await web.stopMcp()
  await api.stopMcp()
  await home.stopHub('SIGKILL')
  endWait(home, id)
  await web.startMcp(0)
  await web.mailWaits()
  const killed = web.card()!.hub!.pid
  await home.stopHub('SIGKILL')
  await waitFor(() => web.card()?.hub?.pid !== killed, 'the card of another hub')
  await web.mailWaits()

  const stop = await web.deliver('Stop')
  expect(stop).toMatch(/<peer-message id="\d+" from="claude-peers" note="of the network itself/)
  expect(stop).toContain(` about="${id}" your_message="which port?">`)
  expect(stop).toContain(`No answer to message ${id} came from api@laptop`)
  expect(stop.match(/<peer-message /g)).toHaveLength(1)
  const status = await web.tool('message_status', { message_id: id })
  expect(status.text).toMatch(/; no answer came until \d\d:\d\d$/)
  expect((await web.tool('check_messages')).text).toBe('No mail waits.')
})

test('an answer in time comes as mail and leaves nothing to tell', async () => {
  await using home = await createHome({ install: true })
  await using web = await startSession(home, { cwd: await home.project('web') })
  await using api = await startSession(home, { cwd: await home.project('api') })
  const ask = { to: 'api', message: 'which port?', expects_reply_within: 60 }
  const { data } = await web.tool('send_message', ask)
  const id = data['message_id'] as number
  await api.mailWaits()
  await api.deliver('PostToolUse')
  await api.tool('send_message', { to: 'web', message: '4000', reply_to: id })
  await web.mailWaits()
  expect(await web.deliver('Stop')).toMatch(
    new RegExp(`reply_to="${id}" your_question="which port\\?" reply="not needed">\\n4000\\n`),
  )
  await web.stopMcp()
  await api.stopMcp()
  await home.stopHub('SIGKILL')
  endWait(home, id)
  await web.startMcp(0)
  // A second question that ends at once shows that the sweeper has been there.
  const second = await web.tool('send_message', {
    to: 'api',
    message: 'and which host?',
    expects_reply_within: 60,
  })
  await web.stopMcp()
  await home.stopHub('SIGKILL')
  endWait(home, second.data['message_id'] as number)
  await web.startMcp(0)
  await web.mailWaits()
  const notes = await web.deliver('Stop')
  expect(notes.match(/<peer-message /g)).toHaveLength(1)
  expect(notes).toContain(`about="${String(second.data['message_id'])}"`)
})
