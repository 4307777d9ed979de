import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { busySince } from '../../lib/machine/cards.ts'
import { isAlive } from '../../lib/machine/processes.ts'
import { kill, programsOf } from '../e2e/claude/processes.ts'
import { openPair } from '../harness/pair.ts'
import type { Session } from '../harness/session.ts'
import { waitFor } from '../harness/wait.ts'

const WOKEN = [
  { code: 2, stdout: '', stderr: expect.stringContaining('mail from other sessions has arrived') },
]
const ENDED = [{ code: 0, stdout: '', stderr: '' }]

/** Starts the session's waiter and resolves when that has its place. */
async function wait(session: Session, event = 'Stop') {
  const ended = session.waiter(event)
  ended.catch(() => undefined)
  const pid = await waitFor(() => session.waiterPid(), 'the waiter to take its place')
  return { ended, pid }
}

/** What the flag says is told by the hub a moment later than what a hook does. */
const flagIs = (session: Session, up: boolean) =>
  waitFor(() => session.hasMailFlag() === up, `the mail flag to be ${up ? 'up' : 'down'}`)

describe('a session that is idle', () => {
  test('is woken by mail, and its next prompt hands it over', async () => {
    await using rig = await openPair()
    const waiter = await wait(rig.api)
    await rig.web.send('api', 'wake up')
    expect(await waiter.ended).toEqual(WOKEN)
    expect(await rig.api.deliver('UserPromptSubmit')).toContain('wake up')
  })

  test('is woken by mail that came between its stop and its waiter', async () => {
    await using rig = await openPair()
    await rig.api.hook('Stop')
    await rig.web.send('api', 'in between')
    await rig.api.mailWaits()
    expect(await rig.api.waiter()).toEqual(WOKEN)
  })

  test.each(['Stop', 'UserPromptSubmit', 'SessionStart'])('has one waiter after each %s', async (event) => {
    await using rig = await openPair()
    const waiter = await wait(rig.api, event)
    for (let turn = 0; turn < 10; turn++) expect(await rig.api.waiter(event)).toEqual(ENDED)
    expect(await programsOf(rig.home.path, 'waiter.sh')).toEqual([waiter.pid])
    await rig.api.hook('Stop')
    await rig.web.send('api', 'wake up')
    expect(await waiter.ended).toEqual(WOKEN)
  })

  test('is woken once by a burst, whose rest its stop hands over, and not again for what was taken', async () => {
    await using rig = await openPair()
    const waiter = await wait(rig.api)
    await Promise.all(Array.from({ length: 10 }, (_, number) => rig.web.send('api', `burst ${number}.`)))
    expect(await waiter.ended).toEqual(WOKEN)
    let given = await rig.api.deliver('UserPromptSubmit')
    const next = await wait(rig.api)
    while (given.match(/burst \d\./g)!.length < 10) given += await rig.api.deliver('Stop')
    await flagIs(rig.api, false)
    expect(await rig.api.deliver('Stop')).toBe('')
    expect(given.match(/burst \d\./g)!.toSorted()).toEqual(
      Array.from({ length: 10 }, (_, n) => `burst ${n}.`),
    )
    // It has heard every ring by now, or hears it with the next.
    expect(rig.api.waiterPid()).toBe(next.pid)
    await rig.web.send('api', 'by the way', { urgency: 'fyi' })
    await flagIs(rig.api, true)
    expect(isAlive(next.pid)).toBe(true)
    await rig.web.send('api', 'new')
    expect(await next.ended).toEqual(WOKEN)
  })

  test('is not woken again by what its woken prompt takes', async () => {
    await using rig = await openPair()
    const waiter = await wait(rig.api)
    await rig.web.send('api', 'one')
    expect(await waiter.ended).toEqual(WOKEN)
    await rig.web.send('api', 'two')
    // The client starts both hooks of the prompt at once, and the shell is there first.
    const [next, given] = await Promise.all([
      wait(rig.api, 'UserPromptSubmit'),
      rig.api.deliver('UserPromptSubmit'),
    ])
    expect(given).toMatch(/one[^]*two/)
    await flagIs(rig.api, false)
    await rig.api.hook('Stop')
    expect([isAlive(next.pid), rig.api.waiterPid()]).toEqual([true, next.pid])
    await rig.web.send('api', 'three')
    expect(await next.ended).toEqual(WOKEN)
  })

  test('is woken for the mail of a stop that was held too often to be held once more', async () => {
    await using rig = await openPair()
    await rig.api.hook('UserPromptSubmit')
    const waiter = await wait(rig.api)
    const stop = async (held: number) => {
      await rig.web.send('api', `note ${held}`)
      await flagIs(rig.api, true)
      return rig.api.deliver('Stop', { stop_hook_active: held > 0 })
    }
    for (let held = 0; held < 5; held++) {
      expect(await stop(held)).toContain(`note ${held}`)
      await flagIs(rig.api, false)
    }
    expect(await stop(5)).toBe('')
    expect(await waiter.ended).toEqual(WOKEN)
    expect(await rig.api.deliver('UserPromptSubmit')).toContain('note 5')
  })

  test('is woken also after its MCP server was reconnected', async () => {
    await using rig = await openPair()
    const waiter = await wait(rig.api)
    await rig.api.restartMcp()
    await rig.web.send('api', 'to the next server')
    expect(await waiter.ended).toEqual(WOKEN)
  })

  test('is left alone by headless runs and by a hub that cannot give what it has', async () => {
    await using rig = await openPair()
    expect(await rig.api.waiter('Stop', { CLAUDE_CODE_ENTRYPOINT: 'sdk-cli' })).toEqual(ENDED)
    const waiter = await wait(rig.api)
    await rig.web.send('api', 'kept')
    expect(await waiter.ended).toEqual(WOKEN)
    // The woken turn finds no hub.
    const { pid } = await rig.home.rendezvous()
    process.kill(pid, 'SIGSTOP')
    let next: Awaited<ReturnType<typeof wait>>
    try {
      expect(await rig.api.deliver('UserPromptSubmit')).toBe('')
      expect(await rig.api.deliver('Stop')).toBe('')
      expect(busySince(join(rig.home.path, '.claude-peers/sessions'), rig.api.pid)).toBeUndefined()
      expect(rig.api.hasMailFlag()).toBe(true)
      next = await wait(rig.api)
      await waitFor(() => existsSync(`/proc/${next.pid}/fd/4`), 'the waiter to listen')
      expect(isAlive(next.pid)).toBe(true)
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    await rig.home.cli(['send', 'api', 'from another sender'])
    expect(await next.ended).toEqual(WOKEN)
    expect(await rig.api.deliver('UserPromptSubmit')).toContain('from another sender')
  })
})

describe('a waiter', () => {
  test.each(['SIGKILL', 'SIGTERM'] as const)('ends with its MCP server, that gets a %s', async (signal) => {
    await using rig = await openPair()
    const waiter = await wait(rig.api)
    process.kill(await rig.api.mcpPid(), signal)
    expect(await waiter.ended).toEqual(ENDED)
    expect(rig.api.waiterPid()).toBeUndefined()
  })

  test('ends when the client is killed, and so does everything of the session', async () => {
    await using rig = await openPair()
    await wait(rig.api)
    await rig.api.kill('SIGKILL')
    const isGone = async () =>
      [...(await programsOf(rig.home.path, 'waiter.sh')), ...(await programsOf(rig.home.path, 'mcp.js'))]
        .length === 0
    expect(await waitFor(isGone, 'the processes of the session to end')).toBe(true)
  })

  test.each([
    [['client', 'mcp', 'hub']],
    [['hub', 'mcp', 'client']],
    [['mcp', 'hub', 'client']],
    [['hub', 'client', 'mcp']],
  ])('is not left when they are killed in the order %j', async (order) => {
    await using rig = await openPair()
    await wait(rig.api)
    const mcp = await rig.api.mcpPid()
    const ends: Record<string, () => unknown> = {
      client: () => rig.api.kill('SIGKILL'),
      mcp: () => kill(mcp),
      hub: () => rig.home.stopHub('SIGKILL'),
    }
    for (const name of order) await ends[name]!()
    const isGone = async () => (await programsOf(rig.home.path, 'waiter.sh')).length === 0
    expect(await waitFor(isGone, 'the waiter to end')).toBe(true)
  })

  test('outlives the hub, and hears of mail that the next one has', async () => {
    await using rig = await openPair()
    const waiter = await wait(rig.api)
    const before = await rig.home.rendezvous()
    await rig.home.stopHub('SIGKILL')
    await waitFor(async () => (await rig.home.rendezvous()).pid !== before.pid, 'another hub')
    expect(isAlive(waiter.pid)).toBe(true)
    await rig.web.send('api', 'after the crash')
    expect(await waiter.ended).toEqual(WOKEN)
    expect(await rig.api.deliver('UserPromptSubmit')).toContain('after the crash')
  })

  test('is served by both servers of a session, and by the one that stays', async () => {
    await using rig = await openPair()
    const waiter = await wait(rig.api)
    const first = rig.api.card()!.mcp.pid
    await rig.api.startMcp(1)
    await waitFor(() => rig.api.card()?.mcp.pid !== first, 'the card of the second')
    await rig.api.stopMcp(1)
    await waitFor(() => rig.api.card()?.mcp.pid === first, 'the card of the first')
    expect(isAlive(waiter.pid)).toBe(true)
    await rig.web.send('api', 'still there?')
    expect(await waiter.ended).toEqual(WOKEN)
  })
})

describe('mail that waits is found', () => {
  test('by stop and prompt while the MCP server is dead, and by gate and waiter once it is back', async () => {
    await using rig = await openPair()
    await rig.api.killMcp()
    for (const event of ['Stop', 'UserPromptSubmit']) {
      await rig.web.send('api', `for ${event}`)
      expect(await rig.api.deliver(event)).toContain(`for ${event}`)
    }
    await rig.web.send('api', 'for the gate')
    await rig.api.startMcp(0)
    await rig.api.mailWaits()
    await rig.api.hook('SessionStart', { source: 'compact', agent_id: 'only looks' })
    expect(await rig.api.deliver('PostToolUse')).toContain('for the gate')
    await rig.api.hook('Stop')
    const waiter = await wait(rig.api)
    await rig.web.send('api', 'for the waiter')
    expect(await waiter.ended).toEqual(WOKEN)
  })

  test('whatever two hooks at once take while more arrives', async () => {
    await using rig = await openPair()
    let given = ''
    for (let round = 0; round < 5; round++) {
      await rig.web.send('api', `first ${round}.`)
      const [one, other] = await Promise.all([
        rig.api.deliver('UserPromptSubmit'),
        rig.api.deliver('Stop'),
        rig.web.send('api', `second ${round}.`),
      ])
      given += one + other
    }
    const all = () => new Set(given.match(/(?:first|second) \d\./g)).size === 10
    while (!all()) {
      await rig.api.mailWaits()
      given += await rig.api.deliver('PostToolUse')
    }
    expect(given.match(/(?:first|second) \d\./g)).toHaveLength(10)
    await flagIs(rig.api, false)
  })
})
