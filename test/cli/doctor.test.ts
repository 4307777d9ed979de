import { once } from 'node:events'
import { chmod, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { blockPort } from '../harness/blocker.ts'
import { runHub } from '../harness/hub.ts'
import { installVersion } from '../harness/installation.ts'
import { startSession } from '../harness/session.ts'
import { waitFor } from '../harness/wait.ts'
import { openPatient, type Patient } from './doctor.ts'
import { toLabel } from '../../lib/machine/processes.ts'

describe.concurrent('doctor', () => {
  test('finds a healthy installation well, each part by its name', async () => {
    await using patient = await openPatient()
    const { home, env } = patient
    await using api = await startSession(home, { cwd: await home.project('api') })
    api.waiter().catch(() => undefined)
    await waitFor(() => api.waiterPid(), 'the waiter to take its place')
    const { code, stdout, stderr } = await home.cli(['doctor'], { env })
    const { url, pid } = await home.rendezvous()
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout.split('\n').filter((line) => line !== '' && !line.startsWith('ok   '))).toEqual([])
    expect(stdout).toContain(`ok   hub: 3.0.0 answers at ${url}, pid ${pid}\n`)
    expect(stdout).toContain(`ok   database: ~/.claude-peers.db\n`)
    expect(stdout).toContain('ok   Claude Code: 2.1.330 at ')
    expect(stdout).toContain('ok   hooks: PostToolUse, UserPromptSubmit, SessionStart, Stop, Notification')
    expect(stdout).toContain(`ok   sessions: ${api.card()!.name}\n`)
  })

  test('changes nothing and starts nothing', async () => {
    await using patient = await openPatient()
    const look = async () => {
      const names = (await readdir(patient.home.path, { recursive: true })).toSorted()
      const files = names.map(async (name) => [name, (await stat(patient.file(name))).mtimeMs])
      return Promise.all(files)
    }
    const before = await look()
    const { code, lines } = await patient.doctor()
    expect(code).toBe(0)
    expect(lines.filter((line) => line.state === 'unknown').map((line) => line.about)).toEqual([
      'machine id',
      'hub',
      'sessions',
    ])
    expect(await look()).toEqual(before)
  })

  test('without an installation says what installs it', async () => {
    await using patient = await openPatient()
    await rm(patient.file('.claude'), { recursive: true })
    await rm(patient.file('.claude.json'))
    const [server, hooks, ...others] = await patient.fixes()
    expect([server, hooks]).toMatchObject([
      { about: 'MCP server', run: 'claude-peers install' },
      { about: 'hooks', run: 'claude-peers install' },
    ])
    expect(others).toEqual([])
    await patient.follow(server!)
    expect(await patient.fixes()).toEqual([])
  })

  test('gives a command that can be run where claude-peers is on no PATH', async () => {
    await using patient = await openPatient()
    await rm(patient.file('bin/claude-peers'))
    await rm(patient.file('.claude/settings.json'))
    const [line] = await patient.fixes()
    expect(line).toMatchObject({
      about: 'hooks',
      run: expect.stringMatching(/bin\/claude-peers\.cjs install$/),
    })
    expect((await patient.follow(line!)).code).toBe(0)
    expect(await patient.fixes()).toEqual([])
  })

  test('tells of cards whose sessions are gone, and lets the next session sweep them', async () => {
    await using patient = await openPatient()
    const { home } = patient
    const api = await startSession(home, { cwd: await home.project('api') })
    const card = await readFile(patient.file(`.claude-peers/sessions/${toLabel(api.pid)}.json`), 'utf8')
    await api[Symbol.asyncDispose]()
    await writeFile(patient.file(`.claude-peers/sessions/${toLabel(api.pid)}.json`), card, { mode: 0o600 })
    const { code, lines } = await patient.doctor()
    expect([code, lines.at(-1)]).toEqual([
      0,
      { about: 'sessions', state: 'unknown', says: 'none runs; 1 stale card, which the next session sweeps' },
    ])
  })

  test('names a session that has lost its MCP server', async () => {
    await using patient = await openPatient()
    const { home } = patient
    await using api = await startSession(home, { cwd: await home.project('api') })
    const lost = api.card()!.mcp.pid
    await api.killMcp()
    expect(await patient.fixes()).toMatchObject([
      { says: expect.stringContaining(`api (pid ${api.pid}) has lost its MCP server: type /mcp`) },
    ])
    await api.startMcp(1)
    await waitFor(() => api.card()!.mcp.pid !== lost, 'the card of the next server')
    expect(await patient.fixes()).toEqual([])
  })
})

describe.concurrent('of its own files it finds', () => {
  test('a variable that nothing reads', async () => {
    await using patient = await openPatient()
    const says = expect.stringMatching(/^nothing reads CLAUDE_PEERS_PROT: unset it, or .*CLAUDE_PEERS_PORT, /)
    expect(await patient.fixes({ CLAUDE_PEERS_PROT: '99' })).toMatchObject([{ about: 'settings', says }])
    expect(await patient.fixes({ CLAUDE_PEERS_PROT: '', CLAUDE_PEERS_NOTIFY_COUNT: '2' })).toEqual([])
  })

  test('settings that are not JSON', async () => {
    await using patient = await openPatient()
    await writeFile(patient.file('.claude-peers.json'), '{"host":')
    expect(await patient.fixes()).toMatchObject([
      {
        about: 'settings',
        says: expect.stringMatching(/line 1: this is not valid JSON: .*Mend it or remove the file/),
      },
    ])
    await writeFile(patient.file('.claude-peers.json'), '{"host": "desk"}')
    const { lines } = await patient.doctor()
    expect(lines).toContainEqual(
      expect.objectContaining({
        about: 'settings',
        state: 'ok',
        says: expect.stringMatching(
          /^host from .*; CLAUDE_PEERS_PORT, CLAUDE_PEERS_HOST, CLAUDE_PEERS_NOTIFY_COMMAND from the environment$/,
        ),
      }),
    )
  })

  test.each([
    ['.claude-peers', 0o755],
    ['.claude-peers/token', 0o644],
    ['.claude-peers/sessions', 0o711],
    ['.claude-peers.db', 0o640],
    ['.claude-peers.json', 0o644],
  ])('that others can open %s', async (name, mode) => {
    await using patient = await openPatient()
    await using _api = await startSession(patient.home, { cwd: await patient.home.project('api') })
    await writeFile(patient.file('.claude-peers.json'), '{"token":"secret"}', { mode: 0o600 })
    await chmod(patient.file(name), mode)
    const [line, ...others] = await patient.fixes()
    expect([line, others]).toMatchObject([
      { about: 'private files', says: `others can open ${patient.file(name)}.` },
      [],
    ])
    expect((await patient.follow(line!)).code).toBe(0)
    expect(await patient.fixes()).toEqual([])
  })

  test('a machine id that is none', async () => {
    await using patient = await openPatient()
    await writeFile(patient.file('.claude-peers.machine-id'), 'my laptop!\n')
    const [line] = await patient.fixes()
    expect(line).toMatchObject({ about: 'machine id' })
    await patient.follow(line!)
    expect(await patient.fixes()).toEqual([])
  })
})

describe.concurrent('of the hub it finds', () => {
  /** What is left to mend when the advice about the only thing wrong was followed. */
  const followed = async (patient: Patient, says: RegExp, env: Record<string, string> = {}) => {
    const [line, ...others] = await patient.fixes(env)
    expect([line, others]).toEqual([expect.objectContaining({ says: expect.stringMatching(says) }), []])
    expect(await patient.follow(line!, env)).toMatchObject({ code: 0, stderr: '' })
    return patient.fixes(env)
  }

  test('that it hangs', async () => {
    await using patient = await openPatient()
    await using hub = await runHub(patient.home)
    process.kill(hub.pid, 'SIGSTOP')
    expect(await followed(patient, new RegExp(`^The hub \\(pid ${hub.pid}\\) does not answer`))).toEqual([])
  })

  test('that it serves another database', async () => {
    await using patient = await openPatient()
    await using _hub = await runHub(patient.home)
    expect(
      await followed(patient, /serves .*\.claude-peers\.db, and here .*other\.db/, {
        CLAUDE_PEERS_DB: patient.file('other.db'),
      }),
    ).toEqual([])
  })

  test('that it is at another port', async () => {
    await using patient = await openPatient()
    await using _hub = await runHub(patient.home)
    const free = createServer().listen(0, '127.0.0.1')
    await once(free, 'listening')
    const { port } = free.address() as AddressInfo
    await new Promise((resolve) => free.close(resolve))
    expect(
      await followed(patient, /^The hub runs at .*use the same "port" in .* \(or CLAUDE_PEERS_PORT\)/, {
        CLAUDE_PEERS_PORT: String(port),
      }),
    ).toEqual([])
  })

  test('that it is older than the installation', async () => {
    await using patient = await openPatient()
    await using older = await installVersion('2.9.9')
    await using _hub = await runHub(patient.home, { script: join(older.root, 'dist/hub.js') })
    expect(await followed(patient, /^the hub is 2\.9\.9, this installation 3\.0\.0/)).toEqual([])
  })

  test('that it is newer than the installation', async () => {
    await using patient = await openPatient()
    await using newer = await installVersion('3.9.9')
    await using _hub = await runHub(patient.home, { script: join(newer.root, 'dist/hub.js') })
    expect(await patient.fixes()).toMatchObject([
      { about: 'hub version', says: expect.stringContaining('Update this installation to 3.9.9') },
    ])
  })

  test('another program on its port', async () => {
    await using patient = await openPatient()
    await using taken = await blockPort()
    const env = { CLAUDE_PEERS_PORT: String(taken.port) }
    expect(await patient.fixes(env)).toMatchObject([
      {
        about: 'hub',
        says: expect.stringMatching(
          /^Another program answers at .*set "port" in .* \(or CLAUDE_PEERS_PORT\)/,
        ),
      },
    ])
    await taken[Symbol.asyncDispose]()
    expect(await patient.fixes(env)).toEqual([])
  })

  test('a remote one without a token', async () => {
    await using patient = await openPatient()
    const env = { CLAUDE_PEERS_BROKER_URL: 'http://hub.example:7899' }
    expect(await patient.fixes(env)).toMatchObject([
      { about: 'hub', says: expect.stringMatching(/no token is configured: set "token"/) },
    ])
  })
})
