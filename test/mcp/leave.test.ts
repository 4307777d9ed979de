import { describe, expect, test } from 'vitest'
import { isAlive } from '../../lib/machine/processes.ts'
import { createHome, type Home } from '../harness/home.ts'
import { joinAs } from '../harness/peer.ts'
import { startSession, type Session } from '../harness/session.ts'
import { waitFor } from '../harness/wait.ts'

const ends: [string, (session: Session, pid: number) => unknown][] = [
  ['its input ends', (session) => session.stopMcp()],
  ['nobody reads its output any more', breakOutput],
  ['SIGINT', (_, pid) => process.kill(pid, 'SIGINT')],
  ['SIGTERM', (_, pid) => process.kill(pid, 'SIGTERM')],
  ['SIGHUP', (_, pid) => process.kill(pid, 'SIGHUP')],
]

describe('the server ends, its seat goes offline and its card is gone', () => {
  test.each(ends)('when %s', async (_, end) => {
    await using home = await createHome({ install: true })
    await using api = await startSession(home, { cwd: await home.project('api') })
    await using web = await joinAs(home, 'web')
    await web.send('api', 'kept')
    await api.mailWaits()
    const pid = await api.mcpPid()
    await end(api, pid)
    await waitFor(() => !isAlive(pid), 'the server to end')
    expect(api.card()).toBeUndefined()
    expect(api.hasMailFlag()).toBe(false)
    expect(await isOffline(home)).toBe(true)
    expect(await api.deliver('Stop')).toBe('')
  })
})

test('the server of a Claude process that was killed ends, and leaves name and mail', async () => {
  await using home = await createHome({ install: true })
  await using api = await startSession(home, { cwd: await home.project('api') })
  await using web = await joinAs(home, 'web')
  const pid = await api.mcpPid()
  await api.kill('SIGKILL')
  await waitFor(() => !isAlive(pid), 'the server to end')
  expect(await isOffline(home)).toBe(true)
  const id = await web.send('api', 'kept')
  const { recipients } = await web.hub.messages.status.query({ messageId: id })
  expect(recipients).toMatchObject([{ to: 'api@laptop', state: 'queued', reach: { how: 'gone' } }])
})

test('a server that leaves while the hub does not answer ends within a second', async () => {
  await using home = await createHome({ install: true })
  await using api = await startSession(home, { cwd: await home.project('api') })
  const { pid: hub } = await home.rendezvous()
  const pid = await api.mcpPid()
  process.kill(hub, 'SIGSTOP')
  process.kill(pid, 'SIGTERM')
  // A call that waits for the hub takes 5 s.
  await waitFor(() => !isAlive(pid), 'the server to end', 4_500).finally(() => process.kill(hub, 'SIGCONT'))
  expect(api.card()).toBeUndefined()
})

/** The client that closed the pipe asks for something, so that the server writes. */
async function breakOutput(session: Session) {
  await session.breakStdout()
  void session.tool('list_peers').catch(() => undefined)
}

async function isOffline(home: Home): Promise<boolean> {
  await using peer = await joinAs(home, 'observer')
  const offline = async () => {
    const { peers } = await peer.hub.peers.list.query()
    return peers.find((one) => one.name === 'api')?.state === 'offline'
  }
  return waitFor(offline, 'the seat to be offline')
}
