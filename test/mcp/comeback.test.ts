/** A hub keeps its port over every restart, as in real life: what its sessions believe of it has to change all the same. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isAlive, readIdentity } from '../../lib/machine/processes.ts'
import { kill } from '../e2e/claude/processes.ts'
import { createHome, type Home } from '../harness/home.ts'
import { runHub, type HubProcess } from '../harness/hub.ts'
import { installVersion, type Installation } from '../harness/installation.ts'
import { joinAs, type TestPeer } from '../harness/peer.ts'
import { startSession, type Session } from '../harness/session.ts'
import { startFrom, statsOf } from '../harness/starter.ts'
import { waitFor } from '../harness/wait.ts'

const CARD_MS = 2_000
const THIRTY = 30
/** Each looks for the hub several times at once: what a start costs is the hub, not who asks for it. */
const PROGRAMS = 6

let stack: AsyncDisposableStack
let newer: Installation
let home: Home
let sessions: Session[]
let web: TestPeer
beforeAll(async () => {
  stack = new AsyncDisposableStack()
  newer = stack.use(await installVersion('99.0.0'))
})
afterAll(() => stack.disposeAsync())

/** A home of its own for each way, with two sessions; disposed with the test. */
async function openHome(): Promise<AsyncDisposable> {
  await using own = new AsyncDisposableStack()
  home = own.use(await createHome({ install: true }))
  sessions = []
  for (const name of ['api', 'docs'])
    sessions.push(own.use(await startSession(home, { cwd: await home.project(name) })))
  web = own.use(await joinAs(home, 'web'))
  const opened = own.move()
  return { [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

/** The process that answers at the hub's port, as it says itself. */
async function serving(): Promise<number | undefined> {
  const url = `http://127.0.0.1:${home.env['CLAUDE_PEERS_PORT']}`
  return statsOf(home, url).then(
    ({ pid }) => pid,
    () => undefined,
  )
}

/** Runs the hub as a supervisor does: one that ends at once, as while a session starts a hub, is started again. */
function supervise(): Promise<HubProcess> {
  const start = () => runHub(home, { args: ['--foreground'] })
  return waitFor(() => start().catch(() => undefined), 'the service to serve', 25_000)
}

const endNow = (signal: NodeJS.Signals) => async (pid: number) => {
  kill(pid, signal)
  await waitFor(() => !isAlive(pid), 'the hub to be gone')
}
const WAYS: Record<string, (pid: number) => Promise<AsyncDisposable | void>> = {
  'is killed with -9, and its sessions start it': endNow('SIGKILL'),
  'is ended with SIGTERM, and its sessions start it': endNow('SIGTERM'),
  'is stopped by a person, and its sessions start it': async () => {
    expect((await home.cli(['stop'])).code).toBe(0)
  },
  'is killed with -9, and a command starts it': async (pid) => {
    const killed = endNow('SIGKILL')(pid)
    await Promise.all([killed, home.cli(['send', 'user', 'to start the hub'])])
  },
  'is killed with -9, and thirty programs start it at once': async (pid) => {
    await endNow('SIGKILL')(pid)
    const all = await Promise.all(
      Array.from({ length: PROGRAMS }, () => startFrom(home, { times: THIRTY / PROGRAMS })),
    )
    expect(all.map(({ error }) => error)).toEqual(all.map(() => undefined))
  },
  'hands over to a newer version': async () => {
    const { version } = await startFrom(home, { version: newer.version })
    expect(version).toBeDefined()
  },
  'gives way to a service': () => supervise(),
  'is a service that is killed with -9 and comes back': async () => {
    const service = await supervise()
    service.kill('SIGKILL')
    await service.exited
    return supervise()
  },
}

describe('when a hub with two sessions', () => {
  test.each(Object.entries(WAYS))(
    '%s, their cards name it and their mail arrives',
    async (_, way) => {
      await using _home = await openHome()
      const before = (await serving())!
      const wakes = await Promise.all(sessions.map((session) => standing(session)))
      await using _service = (await way(before)) ?? { [Symbol.asyncDispose]: async () => undefined }
      const pid = await waitFor(async () => {
        const now = await serving()
        return now === before ? undefined : now
      }, 'the hub to be back')
      const hub = readIdentity(pid)
      const named = () => sessions.every((session) => session.card()?.hub?.pid === hub.pid)
      await waitFor(named, 'the cards to name the hub that serves', CARD_MS)
      expect(sessions.map((session) => session.card()?.hub)).toEqual([hub, hub])
      expect(await serving()).toBe(pid)
      for (const [index, session] of sessions.entries()) {
        for (const event of ['PostToolUse', 'UserPromptSubmit', 'Stop']) {
          const text = `${event} ${index}`
          if (event === 'Stop') await session.deliver('UserPromptSubmit')
          await web.send(session.card()!.name, text)
          await session.mailWaits()
          expect(await session.deliver(event)).toContain(text)
          await session.mailTaken()
        }
        await session.deliver('Stop', { stop_hook_active: true })
        await web.send(session.card()!.name, `wake ${index}`)
        expect((await wakes[index]!.ended)[0]!.code).toBe(2)
        expect(await session.deliver('UserPromptSubmit')).toContain(`wake ${index}`)
      }
    },
    60_000,
  )
})

/** A waiter that stands at a session from before its hub ends. */
async function standing(session: Session) {
  const ended = session.waiter()
  await waitFor(() => session.waiterPid(), 'the waiter')
  return { ended }
}
