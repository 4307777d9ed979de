/** What a session inherits changes neither who it is nor whether it is reached: docs/environment.md, line by line. */
import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { NODE_VARIABLES } from '../../lib/machine/environment.ts'
import { openForwardProxy } from '../harness/forward-proxy.ts'
import { createHome, type Home } from '../harness/home.ts'
import { runHub } from '../harness/hub.ts'
import { joinAs, type TestPeer } from '../harness/peer.ts'
import { openProxy } from '../harness/proxy.ts'
import { createRemoteHome } from '../harness/remote.ts'
import { startSession, type Session } from '../harness/session.ts'
import { startFrom } from '../harness/starter.ts'
import { waitFor } from '../harness/wait.ts'

const TYPED_CLIENT = join(import.meta.dirname, '../harness/typed-client-process.ts')

/** Mail comes with a tool call, a prompt and a Stop, and wakes. */
async function isReached(session: Session, web: TestPeer) {
  const { name } = session.card()!
  for (const event of ['PostToolUse', 'UserPromptSubmit', 'Stop']) {
    await web.send(name, `at ${event}`)
    await session.mailWaits()
    expect(await session.deliver(event)).toContain(`at ${event}`)
    await session.mailTaken()
  }
  await session.deliver('Stop', { stop_hook_active: true })
  const woken = session.waiter()
  await waitFor(() => session.waiterPid(), 'the waiter')
  await web.send(name, 'a wake')
  expect((await woken)[0]).toMatchObject({ code: 2 })
  expect(await session.deliver('UserPromptSubmit')).toContain('a wake')
}

describe('a session that inherits', () => {
  test.each([
    ['a preload that is missing', { NODE_OPTIONS: '--require=/no/such/file.cjs' }],
    ['a debugger to wait for', { NODE_OPTIONS: '--inspect-brk=127.0.0.1:0' }],
    ['a flag that this Node does not know', { NODE_OPTIONS: '--no-such-flag' }],
    ['a channel of another process', { NODE_CHANNEL_FD: '9' }],
    ['debugging words of Node', { NODE_DEBUG: 'fs,module,net', NODE_PENDING_DEPRECATION: '1' }],
    [
      'paths that are missing',
      { NODE_PATH: '/no', NODE_EXTRA_CA_CERTS: '/no', NODE_REDIRECT_WARNINGS: '/no/x' },
    ],
    ['another certificate store', { SSL_CERT_FILE: '/no', NODE_TLS_REJECT_UNAUTHORIZED: '0' }],
    ['threads and rings', { UV_THREADPOOL_SIZE: '1', UV_USE_IO_URING: '1' }],
    ['the variables of an outer session', { CLAUDE_PID: '1', CLAUDECODE: '1', CLAUDE_PROJECT_DIR: '/outer' }],
  ])('%s is reached at each event', async (_, inherited) => {
    await using home = await createHome({ install: true })
    await using session = await startSession(home, { cwd: await home.project('api'), inherited })
    await using web = await joinAs(home, 'web')
    await isReached(session, web)
    expect(session.card()).toMatchObject({ name: 'api', sessionIds: [session.sessionId] })
  })

  test('a directory for coverage writes nothing there', async () => {
    await using home = await createHome({ install: true })
    const coverage = join(home.path, 'coverage')
    const inherited = { NODE_V8_COVERAGE: coverage }
    await using session = await startSession(home, { cwd: await home.project('api'), inherited })
    await using web = await joinAs(home, 'web')
    await isReached(session, web)
    await session.stopMcp()
    expect(existsSync(coverage)).toBe(false)
  })

  test('the repository of a git hook has the name of its own', async () => {
    await using home = await createHome({ install: true })
    const [cwd, other] = [
      await home.project('api', { git: true }),
      await home.project('other', { git: true }),
    ]
    await mkdir(join(cwd, 'src'))
    const inherited = { GIT_DIR: join(other, '.git'), GIT_WORK_TREE: other }
    await using session = await startSession(home, { cwd: join(cwd, 'src'), inherited })
    expect(session.card()).toMatchObject({ name: 'api', root: cwd })
  })
})

test('the page of variables has a mark at each that is set aside, and at no other', async () => {
  const page = await readFile(join(import.meta.dirname, '../../docs/environment.md'), 'utf8')
  const rows = page.split('\n').filter((line) => line.startsWith('| `') && line.split('|')[1]!.includes('✂'))
  const marked = rows.flatMap((row) => [...row.split('|')[1]!.matchAll(/`(\w+)`/g)].map(([, name]) => name))
  expect(marked).toEqual([...NODE_VARIABLES])
})

describe('a proxy in the environment', () => {
  async function useAll(home: Home, web: TestPeer, variables: Record<string, string>) {
    const cwd = await home.project('api')
    await using session = await startSession(home, { cwd, env: variables })
    await isReached(session, web)
    expect((await session.tool('list_peers')).text).toMatch(/^You are api@/)
    for (const words of [['peers'], ['status'], ['send', 'api', 'from the person'], ['doctor']])
      expect((await home.cli(words, { env: variables })).stderr).toBe('')
    const program = await home.run([process.execPath, TYPED_CLIENT], { env: variables })
    expect(JSON.parse(program.stdout)).toMatchObject({ watched: true })
  }

  test('is never asked for a hub of this machine, over HTTP or WebSocket', async () => {
    await using home = await createHome({ install: true })
    await using proxy = await openForwardProxy()
    // The first of all starts the hub.
    expect(await startFrom(home, { env: proxy.variables })).toMatchObject({ url: expect.any(String) })
    await using web = await joinAs(home, 'web')
    await useAll(home, web, proxy.variables)
    expect(proxy.asked).toEqual([])
  })

  test('is never asked for a hub of another machine either', async () => {
    await using studio = await createHome({ host: 'studio' })
    await using hub = await runHub(studio, { env: { CLAUDE_PEERS_TOKEN: 'the-token-of-the-fleet' } })
    await using way = await openProxy(hub.url)
    await using laptop = await createRemoteHome(studio, { url: way.url, host: 'laptop' })
    await using proxy = await openForwardProxy()
    await using web = await joinAs(laptop, 'web')
    await useAll(laptop, web, proxy.variables)
    expect(proxy.asked).toEqual([])
  })
})
