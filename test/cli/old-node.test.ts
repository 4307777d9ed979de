/** The command on a machine whose own Node is too old, as `npm link` puts it on the PATH there. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { PACKAGE_ROOT } from '../../lib/machine/package.ts'
import { isAlive } from '../../lib/machine/processes.ts'
import { createHome, type Home } from '../harness/home.ts'
import { findOldNode, type OldNode } from '../harness/old-node.ts'
import { joinAs } from '../harness/peer.ts'
import { startSession } from '../harness/session.ts'
import { waitFor } from '../harness/wait.ts'
import { BIN } from './program.ts'

const OWN_NODE = join(PACKAGE_ROOT, 'node_modules/node/bin/node')

let old: OldNode
beforeAll(async () => {
  old = await findOldNode()
})
afterAll(() => old[Symbol.asyncDispose]())

let home: Home
let command: string
beforeEach(async () => {
  home = await createHome({ install: true })
  await mkdir(join(home.path, 'bin'))
  command = join(home.path, 'bin/claude-peers')
  await symlink(BIN, command)
  home.env['PATH'] = `${old.directory}:/usr/bin:/bin`
})
afterEach(() => home[Symbol.asyncDispose]())

const call = (args: string[], input = '') => home.run([command, ...args], { input })

test('the command runs with the Node of its checkout, with its own input, output and exit codes', async () => {
  expect(await call(['--version'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^3\./) })
  expect(await call(['status'])).toMatchObject({ code: 3 })
  expect(await call(['nonsense'])).toMatchObject({ code: 2, stderr: expect.stringContaining('nonsense') })
  await startHub()
  await using api = await joinAs(home, 'api')
  expect(await call(['send', 'api'], 'piped words')).toMatchObject({ code: 0, stderr: '' })
  expect((await call(['message', '1'])).stdout).toContain('piped words')
  expect(api.id).toMatch(/^p_/)
  await call(['uninstall'])
  const { stdout } = await call(['install', '--print', '--json'])
  expect(stdout).toContain(OWN_NODE)
  expect(stdout).not.toContain(`${old.directory}/node"`)
})

/** What it is sent to is not there; the hub that says so is. */
const startHub = () => call(['send', 'nobody-here', 'hello'])

/** Starts `watch`, and gives the pids of both of its processes once it prints. */
async function startWatch() {
  await startHub()
  const child = spawn(command, ['watch'], {
    env: home.env,
    cwd: home.path,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  await once(child.stdout, 'data')
  const pid = child.pid!
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return { pid, inner: Number(children.trim()), ended }
}

describe('a signal', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('%s ends the command as it ends any other', async (signal) => {
    const { pid, inner, ended } = await startWatch()
    expect(inner).toBeGreaterThan(0)
    process.kill(pid, signal)
    expect(await ended).toEqual([0, null])
    expect(isAlive(inner)).toBe(false)
  })

  test('that ends the program ends the command in the same way', async () => {
    const { inner, ended } = await startWatch()
    process.kill(inner, 'SIGKILL')
    expect(await ended).toEqual([null, 'SIGKILL'])
  })
})

test('the MCP server and the hook find their Claude process, and end with their session', async () => {
  await using session = await startSession(home, {
    cwd: await home.project('api'),
    wrapper: ['/bin/sh', '-c', `exec '${command}' mcp`],
  })
  expect(session.card()).toMatchObject({ name: 'api', claude: { pid: session.pid } })
  await call(['send', 'api', 'mail for an old machine'])
  await session.mailWaits()
  const settings = join(home.path, '.claude/settings.json')
  const { hooks } = JSON.parse(await readFile(settings, 'utf8')) as { hooks: object }
  const handler = { hooks: [{ type: 'command', command: `exec '${command}' hook` }] }
  await writeFile(settings, JSON.stringify({ hooks: { ...hooks, UserPromptSubmit: [handler] } }))
  expect(await session.deliver('UserPromptSubmit')).toContain('mail for an old machine')
  const server = session.card()!.mcp.pid
  await session.stopMcp()
  expect(await waitFor(() => !isAlive(server), 'the server to end')).toBe(true)
})

test('without a Node of its own the command says in one line what it needs', async () => {
  const installed = join(home.path, 'installed')
  for (const name of ['bin', 'dist'])
    await cp(join(PACKAGE_ROOT, name), join(installed, name), { recursive: true })
  const { code, stderr } = await home.run([join(installed, 'bin/claude-peers.cjs'), '--version'])
  expect(code).toBe(1)
  expect(stderr).toMatch(/^claude-peers needs Node 22\.14 or newer; this is [\d.]+\..*\n$/)
})
