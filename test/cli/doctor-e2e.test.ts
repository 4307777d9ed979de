import { existsSync } from 'node:fs'
import { readdir, writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { isAlive } from '../../lib/machine/processes.ts'
import { blockPort } from '../harness/blocker.ts'
import { runHub } from '../harness/hub.ts'
import { joinAs } from '../harness/peer.ts'
import { startFrom } from '../harness/starter.ts'
import { startSession } from '../harness/session.ts'
import { waitFor } from '../harness/wait.ts'
import { processesOf } from '../e2e/claude/processes.ts'
import { breakHook, hookOf, openPatient, type Diagnosis, type Patient } from './doctor.ts'
import { startProgram } from './program.ts'

const probeLines = ({ lines }: Diagnosis) => lines.filter((line) => line.about === 'probe')

const THROUGH = [
  /^the registered MCP server answers: 3\.0\.0, \d tools$/,
  /^its session has a seat, doctor-probe, at http/,
  /^message \d+ was sent to it$/,
  /^its MCP server announced the message to the gate$/,
  /^the registered hook printed it for the model, in \d+ ms$/,
  /^the hook acknowledged it: delivered$/,
  /^the MCP server found an answer to it in the transcript: read$/,
  /^nothing of it is left$/,
].map((pattern) => ({ about: 'probe', state: 'ok', says: expect.stringMatching(pattern) }))

/** What a probe could leave: seats, messages, cards, scratch directories, processes. */
async function leftBy({ home, file }: Patient) {
  // The hub of the probe has ended, and a look starts none.
  await startFrom(home)
  const { stdout } = await home.cli(['log', '--json'])
  return {
    seats: (JSON.parse((await home.cli(['peers', '--json'])).stdout) as { name: string }[]).map(
      (one) => one.name,
    ),
    messages: (JSON.parse(stdout) as { text: string }[]).map((one) => one.text),
    cards: await readdir(file('.claude-peers/sessions')),
    scratch: await readdir(file('tmp')),
  }
}

const INITIALIZED = {
  protocolVersion: '2025-06-18',
  capabilities: {},
  serverInfo: { name: 'x', version: '3.0.0' },
}
const TOOLS = { tools: ['list_peers', 'send_message', 'check_messages'].map((name) => ({ name })) }

/** A program that answers these requests of the protocol, and no others. */
const toServer = (answers: Record<string, object>) => `
  const answers = ${JSON.stringify(answers)}
  require('node:readline').createInterface(process.stdin).on('line', (line) => {
    const { id, method } = JSON.parse(line)
    const result = answers[method]
    if (result) process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result }) + '\\n')
  })`

describe.concurrent('doctor --e2e', { timeout: 60_000 }, () => {
  test('sends a message through a healthy installation and leaves nothing behind', async () => {
    await using patient = await openPatient()
    const diagnosis = await patient.doctor(['--e2e'])
    expect(probeLines(diagnosis)).toEqual(THROUGH)
    expect(diagnosis.code).toBe(0)
    // The hub ran for the probe alone.
    expect(await processesOf(patient.home.path)).toEqual([])
    expect(await leftBy(patient)).toEqual({ seats: ['user'], messages: [], cards: [], scratch: [] })
  })

  test('does not disturb the sessions that run, nor their mail', async () => {
    await using patient = await openPatient()
    const { home } = patient
    await using api = await startSession(home, { cwd: await home.project('api') })
    await using web = await joinAs(home, 'web')
    const waiting = await web.send('api', 'before the probe')
    await api.mailWaits()
    const { pid } = await home.rendezvous()
    // As from a command inside of that session, in a repository around the temporary directory.
    const env = { CLAUDECODE: '1', CLAUDE_PID: String(api.pid), CLAUDE_CODE_SESSION_ID: api.sessionId }
    const diagnosis = await patient.doctor(['--e2e'], { ...env, GIT_DIR: '/nowhere' })
    expect(probeLines(diagnosis)).toEqual(THROUGH)
    expect((await home.rendezvous()).pid).toBe(pid)
    expect(await web.stateOf(waiting)).toBe('queued')
    expect(await api.deliver('PostToolUse')).toContain('before the probe')
    const { seats, messages } = await leftBy(patient)
    expect([seats, messages]).toEqual([['api', 'user', 'web'], ['before the probe']])
  })

  test('takes no seat of a repository around the temporary directory', async () => {
    await using patient = await openPatient()
    const { home } = patient
    const cwd = await home.project('api', { git: true })
    const api = await startSession(home, { cwd })
    await api[Symbol.asyncDispose]()
    await using web = await joinAs(home, 'web')
    const waiting = await web.send('api', 'for the next session')
    const diagnosis = await patient.doctor(['--e2e'], { TMPDIR: cwd })
    expect(probeLines(diagnosis)).toEqual(THROUGH)
    expect(await web.stateOf(waiting)).toBe('queued')
  })

  test('says where a hook whose file is gone breaks the way, and cleans up all the same', async () => {
    await using patient = await openPatient()
    await using _hub = await runHub(patient.home)
    await patient.editSettings((settings) => breakHook(hookOf(settings, 'PostToolUse')))
    const diagnosis = await patient.doctor(['--e2e'])
    expect(diagnosis.code).toBe(1)
    const [failed, last] = probeLines(diagnosis).slice(-2)
    expect([failed, last]).toMatchObject([
      { state: 'fix', says: 'the registered hook printed no mail (exit 0).', run: 'claude-peers install' },
      { state: 'ok', says: 'nothing of it is left' },
    ])
    expect(await leftBy(patient)).toEqual({ seats: ['user'], messages: [], cards: [], scratch: [] })
    await patient.follow(failed!)
    expect(probeLines(await patient.doctor(['--e2e']))).toEqual(THROUGH)
  })

  test('says that the MCP server does not start, with its own words', async () => {
    await using patient = await openPatient()
    const script = patient.file('broken.cjs')
    await writeFile(script, 'process.stderr.write("no such module\\n"); process.exit(7)')
    await patient.editClient(({ mcpServers }) => {
      mcpServers['claude-peers'] = {
        type: 'stdio',
        command: process.execPath,
        args: ['${BROKEN:-x}'],
        env: {},
      }
    })
    const diagnosis = await patient.doctor(['--e2e'], { BROKEN: script })
    expect(probeLines(diagnosis)).toMatchObject([
      {
        state: 'fix',
        says: 'the registered MCP server does not start (the MCP server ended with 7 during initialize: no such module).',
        run: 'claude-peers install',
      },
      { state: 'ok', says: 'nothing of it is left' },
    ])
  })

  test.each([
    ['initialize and tools/list', ''],
    ['list_peers', toServer({ initialize: INITIALIZED, 'tools/list': TOOLS })],
  ])('says that the MCP server hangs at %s, and cleans up', async (what, code) => {
    await using patient = await openPatient()
    await using hub = await runHub(patient.home)
    const script = patient.file('hung.cjs')
    await writeFile(script, `${code}; setInterval(() => {}, 1e6)`)
    await patient.editClient(({ mcpServers }) => {
      mcpServers['claude-peers'] = { type: 'stdio', command: process.execPath, args: [script], env: {} }
    })
    expect(probeLines(await patient.doctor(['--e2e'])).slice(-2)).toMatchObject([
      {
        state: 'fix',
        says: `the registered MCP server hangs: 15 s without an answer to ${what}.`,
        run: 'claude-peers install',
      },
      { state: 'ok', says: 'nothing of it is left' },
    ])
    expect(await processesOf(patient.home.path)).toEqual([hub.pid])
  })

  test('says that a hook hangs, and cleans up', async () => {
    await using patient = await openPatient()
    await using hub = await runHub(patient.home)
    await patient.editSettings((settings) => {
      const hook = hookOf(settings, 'PostToolUse')
      hook.timeout = 1
      hook.command = `sleep 600; ${hook.command}`
    })
    const [failed, last] = probeLines(await patient.doctor(['--e2e'])).slice(-2)
    expect([failed, last]).toMatchObject([
      {
        state: 'fix',
        says: 'the registered hook hangs: it ran for 1 s and was killed.',
        run: 'claude-peers install',
      },
      { state: 'ok', says: 'nothing of it is left' },
    ])
    expect(await processesOf(patient.home.path)).toEqual([hub.pid])
    await patient.follow(failed!)
    expect(probeLines(await patient.doctor(['--e2e']))).toEqual(THROUGH)
  })

  test('uses the settings of the client, and says when the command line has others', async () => {
    await using patient = await openPatient()
    await using _hub = await runHub(patient.home)
    await using blocker = await blockPort()
    await patient.editSettings((settings) => (settings.env = { CLAUDE_PEERS_PORT: blocker.port }))
    const [, seat, last] = probeLines(await patient.doctor(['--e2e']))
    expect([seat, last]).toMatchObject([
      { state: 'fix', says: expect.stringMatching(/its session got no seat: .*CLAUDE_PEERS_PORT/s) },
      { state: 'ok' },
    ])
  })

  test('starts a hub that was killed', async () => {
    await using patient = await openPatient()
    const hub = await runHub(patient.home)
    hub.kill('SIGKILL')
    await hub.exited
    expect(probeLines(await patient.doctor(['--e2e']))).toEqual(THROUGH)
  })

  test('sends nothing while the hub hangs', async () => {
    await using patient = await openPatient()
    await using hub = await runHub(patient.home)
    process.kill(hub.pid, 'SIGSTOP')
    const diagnosis = await patient.doctor(['--e2e'])
    expect(probeLines(diagnosis)).toEqual([
      { about: 'probe', state: 'unknown', says: 'not sent: mend what stands above first' },
    ])
    const line = diagnosis.lines.find(({ state }) => state === 'fix')
    await patient.follow(line!)
    expect(probeLines(await patient.doctor(['--e2e']))).toEqual(THROUGH)
  })

  test('sends nothing while another program has the port', async () => {
    await using patient = await openPatient()
    await using taken = await blockPort()
    const env = { CLAUDE_PEERS_PORT: String(taken.port) }
    const diagnosis = await patient.doctor(['--e2e'], env)
    expect([diagnosis.code, probeLines(diagnosis)]).toMatchObject([1, [{ state: 'unknown' }]])
    expect(await processesOf(patient.home.path)).toEqual([])
  })

  test('cleans up when it is interrupted', async () => {
    await using patient = await openPatient()
    const { home, env } = patient
    await using hub = await runHub(home)
    await patient.editSettings((settings) => {
      const hook = hookOf(settings, 'PostToolUse')
      hook.command = `echo $$ > '${patient.file('hook')}'; sleep 600; ${hook.command}`
    })
    await using doctor = startProgram(home, ['doctor', '--e2e'], { env })
    await doctor.prints(/announced the message to the gate/)
    await waitFor(() => existsSync(patient.file('hook')), 'the hook')
    expect(await doctor.end('SIGINT')).toBe(1)
    expect(doctor.stdout()).toMatch(/nothing of it is left\n$/)
    await waitFor(
      async () => (await processesOf(home.path)).join() === String(hub.pid),
      'the probe to be gone',
    )
    expect((await leftBy(patient)).seats).toEqual(['user'])
    expect(isAlive(hub.pid)).toBe(true)
  })
})
