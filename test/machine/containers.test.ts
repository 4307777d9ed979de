/** Sessions in pid namespaces of their own that share one home, as in dev containers; `unshare` needs root. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ownNamespace } from '../../lib/machine/processes.ts'
import { CLI, createHome, type Home } from '../harness/home.ts'
import { runHub } from '../harness/hub.ts'
import { joinAs } from '../harness/peer.ts'
import { createRemoteHome } from '../harness/remote.ts'
import { CONTAINER, startSession, type Session } from '../harness/session.ts'
import { waitFor } from '../harness/wait.ts'

const canUnshare = process.platform === 'linux' && process.getuid?.() === 0
const WITHOUT_PROC = CONTAINER.filter((word) => word !== '--mount-proc')

const filesOf = (home: Home) => readdirSync(join(home.path, '.claude-peers/sessions')).toSorted()
const nameOf = (session: Session) => session.card()?.name

/** Sends mail from a session to another, which its next tool call takes. */
async function expectMail(from: Session, to: Session, text: string) {
  const sent = await from.tool('send_message', { to: `${nameOf(to)}@laptop`, message: text })
  expect(sent.data['message_id']).toBeTypeOf('number')
  await to.mailWaits()
  expect(await to.deliver('PostToolUse')).toContain(text)
  await to.mailTaken()
}

describe.runIf(canUnshare)('sessions that share a home', () => {
  test('two containers with equal pids and the host keep their cards, names and mail apart', async () => {
    await using home = await createHome({ install: true })
    const cwd = await home.project('api')
    await using host = await startSession(home, { cwd })
    const before = filesOf(home)
    const [one, two] = await Promise.all([1, 2].map(() => startSession(home, { cwd, container: CONTAINER })))
    await using _one = one!
    await using _two = two!
    expect([one!.pid, two!.pid]).toEqual([1, 1])
    expect(new Set([ownNamespace(), one!.claude.namespace, two!.claude.namespace]).size).toBe(3)
    expect(
      [host, one!, two!].map((one) => nameOf(one)!).toSorted((left, right) => left.localeCompare(right)),
    ).toEqual(['api', 'api-2', 'api-3'])
    expect(nameOf(host)).toBe('api')
    // Nobody has swept what is another's.
    expect(filesOf(home)).toEqual(expect.arrayContaining(before))
    for (const [from, to] of [
      [host, one!],
      [one!, two!],
      [two!, host],
      [two!, one!],
    ] as const) {
      await expectMail(from, to, `to ${nameOf(to)}`)
    }
  })

  test('a session that starts on the host sweeps nothing of a container, nor takes its name', async () => {
    await using home = await createHome({ install: true })
    const cwd = await home.project('api')
    await using web = await startSession(home, { cwd: await home.project('web') })
    await using inside = await startSession(home, { cwd, container: CONTAINER })
    const before = filesOf(home)
    await using host = await startSession(home, { cwd })
    expect([inside, host].map(nameOf)).toEqual(['api', 'api-2'])
    expect(filesOf(home)).toEqual(expect.arrayContaining(before))
    await expectMail(web, inside, 'to the container')
  })

  test('a session in a container is woken, and its turns end without a Node at rest', async () => {
    await using home = await createHome({ install: true })
    await using host = await startSession(home, { cwd: await home.project('web') })
    await using inside = await startSession(home, { cwd: await home.project('api'), container: CONTAINER })
    const woken = inside.waiter()
    await waitFor(() => inside.waiterPid(), 'the waiter')
    await host.tool('send_message', { to: 'api', message: 'wake up' })
    expect((await woken).map(({ code }) => code)).toEqual([2])
    expect(await inside.deliver('UserPromptSubmit')).toContain('wake up')
    await inside.mailTaken()
    expect(await inside.hook('Stop')).toEqual([expect.objectContaining({ code: 0, stdout: '' })])
  })

  test('a container without a /proc of its own is told apart as well, and judges by signals alone', async () => {
    await using home = await createHome({ install: true })
    const cwd = await home.project('api')
    await using host = await startSession(home, { cwd })
    await using inside = await startSession(home, { cwd, container: WITHOUT_PROC })
    await using other = await startSession(home, { cwd, container: WITHOUT_PROC })
    expect([host, inside, other].map(nameOf)).toEqual(['api', 'api-2', 'api-3'])
    expect(inside.claude).toEqual({ pid: 1, namespace: expect.stringMatching(/^\d+$/) })
    await expectMail(host, inside, 'to the container')
    await expectMail(inside, other, 'to the other container')
    await expectMail(other, host, 'to the host')
  })

  test('a container says goodbye to a remote hub for its own sessions alone', async () => {
    await using studio = await createHome({ host: 'studio' })
    await using hub = await runHub(studio)
    await using home = await createRemoteHome(studio, { url: hub.url, host: 'laptop' })
    const cwd = await home.project('api')
    await using host = await startSession(home, { cwd })
    await using _inside = await startSession(home, { cwd, container: CONTAINER })
    await using web = await joinAs(home, 'web')
    const { peers } = await web.hub.peers.list.query()
    expect(peers.map(({ name, state }) => [name, state])).toEqual(
      expect.arrayContaining([
        ['api', 'online'],
        ['api-2', 'online'],
      ]),
    )
    await expectMail(_inside, host, 'still there')
  })

  test('the hub of a container that is gone is replaced from the host, with all mail', async () => {
    await using home = await createHome({ install: true })
    const inside = await startSession(home, { cwd: await home.project('api'), container: CONTAINER })
    const inner = await home.rendezvous()
    expect(inner).toMatchObject({ namespace: inside.claude.namespace })
    await using web = await startSession(home, { cwd: await home.project('web') })
    const { data } = await web.tool('send_message', { to: 'api', message: 'from before' })
    // With its first process, every process of a pid namespace ends, and so does its hub.
    await inside.kill('SIGKILL')
    await waitFor(async () => (await home.rendezvous()).namespace === ownNamespace(), 'a hub of the host')
    const status = await web.tool('message_status', { message_id: data['message_id'] })
    expect(status.data['recipients']).toMatchObject([{ to: 'api@laptop', state: 'queued' }])
  })

  test('"stop" in a container ends a hub of the host by asking it, and signals no process', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    const stop = () => home.run([...CONTAINER, process.execPath, CLI, 'stop'])
    process.kill(hub.pid, 'SIGSTOP')
    try {
      const refused = await stop()
      expect(refused.code).not.toBe(0)
      expect(refused.stderr).toContain('cannot be seen from here')
      expect(existsSync(`/proc/${hub.pid}`)).toBe(true)
    } finally {
      process.kill(hub.pid, 'SIGCONT')
    }
    const stopped = await stop()
    expect(stopped).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`Stopped the hub (pid ${hub.pid})`),
    })
    expect(await hub.exited).toBe(0)
  })
})
