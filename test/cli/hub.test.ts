import { describe, expect, test } from 'vitest'
import { isAlive } from '../../lib/machine/processes.ts'
import { createHome } from '../harness/home.ts'
import { joinAs } from '../harness/peer.ts'
import { startSession } from '../harness/session.ts'
import { startFrom } from '../harness/starter.ts'
import { waitFor } from '../harness/wait.ts'
import { BIN, startProgram } from './program.ts'

describe('stop', () => {
  test.each(['stop', 'kill-broker'])(
    '%s ends the hub alone: sessions live on, and start it again',
    async (verb) => {
      await using home = await createHome({ install: true })
      await using api = await startSession(home, { cwd: await home.project('api') })
      const { pid } = await home.rendezvous()
      const mcp = await api.mcpPid()
      const { code, stdout } = await home.cli([verb])
      expect([code, stdout]).toEqual([
        0,
        `Stopped the hub (pid ${pid}). No mail is lost; sessions that run start it again.\n`,
      ])
      expect([isAlive(pid), isAlive(mcp), isAlive(api.pid)]).toEqual([false, true, true])
      expect((await api.tool('list_peers')).text).toMatch(/^You are api@laptop/)
      expect((await home.rendezvous()).pid).not.toBe(pid)
    },
  )

  test('says that there is none to stop', async () => {
    await using home = await createHome()
    expect(await home.cli(['stop'])).toEqual({ code: 0, stdout: 'No hub runs.\n', stderr: '' })
  })

  test('leaves the hub of another machine alone', async () => {
    await using home = await createHome()
    const env = { CLAUDE_PEERS_BROKER_URL: 'http://hub.example:7899' }
    const { code, stderr } = await home.cli(['stop'], { env })
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/on another machine .*run "claude-peers stop" there/),
    ])
  })
})

describe('hub', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    'runs in the foreground until %s, and ends with 0',
    async (signal) => {
      await using home = await createHome()
      await using hub = startProgram(home, ['hub'])
      await waitFor(() => hub.stderr().includes('hub serves'), 'the hub to serve')
      expect((await home.rendezvous()).pid).toBe(hub.pid)
      await using web = await joinAs(home, 'web')
      expect((await web.hub.hub.stats.query()).pid).toBe(hub.pid)
      expect(await hub.end(signal)).toBe(0)
      expect(hub.stderr()).toContain('hub stops')
      await expect(home.rendezvous()).rejects.toThrow('ENOENT')
    },
  )

  test('does not start beside another one in the foreground', async () => {
    await using home = await createHome()
    await using hub = startProgram(home, ['hub'])
    await waitFor(() => hub.stderr().includes('hub serves'), 'the hub to serve')
    const { code, stderr } = await home.cli(['hub'])
    expect([code, stderr]).toEqual([3, expect.stringContaining('Another hub already serves')])
    expect((await home.rendezvous()).pid).toBe(hub.pid)
  })

  test('is not run where the hub is elsewhere', async () => {
    await using home = await createHome()
    const { code, stderr } = await home.cli(['hub'], {
      env: { CLAUDE_PEERS_BROKER_URL: 'http://hub.example:7899' },
    })
    expect([code, stderr]).toEqual([6, expect.stringContaining('start it there, not here')])
  })

  test.each(['migrate', 'backup'])('nor is its %s: that is said in its own words', async (verb) => {
    await using home = await createHome()
    const { code, stderr } = await home.cli([verb], {
      env: { CLAUDE_PEERS_BROKER_URL: 'http://hub.example:7899' },
    })
    expect([code, stderr]).toEqual([
      6,
      expect.stringContaining(`run "claude-peers ${verb}" on that hub's machine`),
    ])
  })
})

describe('migrate', () => {
  test('makes a database, finds it up to date, and leaves that of a running hub alone', async () => {
    await using home = await createHome()
    const file = '~/.claude-peers.db'
    expect(await home.cli(['migrate'])).toMatchObject({ code: 0, stdout: `${file}: created.\n` })
    expect(await home.cli(['migrate'])).toMatchObject({
      code: 0,
      stdout: `${file}: up to date, nothing to do.\n`,
    })
    await startFrom(home)
    const { pid } = await home.rendezvous()
    const { code, stderr } = await home.cli(['migrate'])
    expect([code, stderr]).toEqual([
      3,
      expect.stringMatching(new RegExp(`The hub \\(pid ${pid}\\) serves .*claude-peers(?:\\.cjs)? stop`)),
    ])
    expect((await home.cli(['status'])).code).toBe(0)
    await home.cli(['stop'])
    expect((await home.cli(['migrate'])).code).toBe(0)
  })
})

describe('watch', () => {
  test('shows sessions and messages as they come, over a restart of the hub', async () => {
    await using home = await createHome({ install: true })
    const api = await startSession(home, { cwd: await home.project('api') })
    await using _api = api
    await using watch = startProgram(home, ['watch'])
    await watch.prints(/● api@laptop: .*\/api/)
    await using web = await joinAs(home, 'web')
    const first = await web.send('api', 'before the restart')
    await watch.prints(new RegExp(`${first}  web@laptop → api@laptop  \\[queued.*before the restart`))
    await api.deliver('UserPromptSubmit')
    await watch.prints(new RegExp(`${first}  web@laptop → api@laptop  \\[delivered at .*before the restart`))
    const { pid } = await home.rendezvous()
    await home.stopHub('SIGKILL')
    const isNew = () =>
      home.rendezvous().then(
        (left) => left.pid !== pid,
        () => false,
      )
    await waitFor(isNew, 'another hub')
    const second = await web.send('api', 'after the restart')
    await watch.prints(new RegExp(`${second}  web@laptop → api@laptop  \\[queued.*after the restart`))
    await using _other = await startSession(home, { cwd: await home.project('other') })
    await watch.prints(/\+ other@laptop/)
    await api.stopMcp()
    await watch.prints(/- api@laptop/)
    expect(watch.stdout().match(/before the restart/g)!.length).toBeLessThan(5)
    expect([await watch.end('SIGINT'), watch.stderr()]).toEqual([0, ''])
  })

  test('shows what a session does as it changes', async () => {
    await using home = await createHome()
    await startFrom(home)
    await using watch = startProgram(home, ['watch'])
    await watch.prints(/Nobody is online/)
    await using docs = await joinAs(home, 'docs')
    const link = docs.hub.mailbox.watch.subscribe(undefined, { onData: () => undefined })
    await watch.prints(/\+ docs@laptop: online · \/peers\/docs/)
    const busy = { activity: 'busy', wakeable: false, headless: false } as const
    await docs.hub.peers.setActivity.mutate(busy)
    await watch.prints(/~ docs@laptop: busy · \/peers\/docs/)
    await docs.hub.peers.setActivity.mutate({ ...busy, activity: 'idle', wakeable: true })
    await watch.prints(/~ docs@laptop: idle, mail wakes it · \/peers\/docs/)
    await docs.hub.peers.leave.mutate()
    link.unsubscribe()
    await watch.prints(/- docs@laptop: gone since \d\d:\d\d · \/peers\/docs/)
    expect([await watch.end('SIGINT'), watch.stderr()]).toEqual([0, ''])
  })

  test('prints one JSON object a line', async () => {
    await using home = await createHome()
    await startFrom(home)
    await using watch = startProgram(home, ['watch', '--json'])
    await watch.prints(/"snapshot"/)
    await using web = await joinAs(home, 'web')
    await web.send('user', 'never').catch(() => undefined)
    await watch.prints(/"changed"|"joined"/)
    expect(await watch.end('SIGTERM')).toBe(0)
    const events = watch
      .stdout()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string })
    expect(events[0]).toEqual({ type: 'snapshot', peers: [], more: false })
    expect(events.at(-1)).toMatchObject({ peer: { name: 'web' } })
  })

  test('says at once that it watches, also when nobody is there', async () => {
    await using home = await createHome()
    await startFrom(home)
    await using watch = startProgram(home, ['watch'])
    expect((await watch.prints(/^.*\n/))[0]).toBe('Nobody is online.\n')
  })

  test('ends when nobody reads on', async () => {
    await using home = await createHome()
    await startFrom(home)
    await using watch = startProgram(home, ['watch', '--json'])
    await watch.prints(/snapshot/)
    watch.closeOutput()
    await using _web = await joinAs(home, 'web')
    expect([await watch.end(), watch.stderr()]).toEqual([0, ''])
  })
})

describe('mcp and hook', () => {
  test('a session whose server is started by the command leaves in order when its client breaks off', async () => {
    await using home = await createHome({ install: true })
    await using api = await startSession(home, { cwd: await home.project('api'), command: [BIN, 'mcp'] })
    const pid = await api.mcpPid()
    await api.breakStdout()
    void api.tool('list_peers').catch(() => undefined)
    await waitFor(() => !isAlive(pid), 'the server to end')
    expect(api.card()).toBeUndefined()
  })

  test('run the programs that Claude Code runs', async () => {
    await using home = await createHome()
    const hook = await home.cli(['hook'], { input: '{"hook_event_name":"Stop"}' })
    expect(hook).toEqual({ code: 0, stdout: '', stderr: '' })
    const initialize = {
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
    }
    const mcp = await home.cli(['mcp'], { input: `${JSON.stringify(initialize)}\n` })
    expect([mcp.code, mcp.stderr]).toEqual([0, ''])
    expect(JSON.parse(mcp.stdout)).toMatchObject({ id: 1, result: { serverInfo: { name: 'claude-peers' } } })
  })
})
