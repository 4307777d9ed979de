/** Who a session is when its repository is moved, is one of several worktrees, or is only looked at by a health check. */
import { execFileSync } from 'node:child_process'
import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createHome, type Home } from '../harness/home.ts'
import { runHub } from '../harness/hub.ts'
import { joinAs } from '../harness/peer.ts'
import { startSession, type Session } from '../harness/session.ts'
import { waitFor } from '../harness/wait.ts'

const nameOf = (session: Session) => session.card()?.name
const git = (home: Home, directory: string, ...args: string[]) =>
  execFileSync('git', ['-C', directory, '-c', 'user.name=x', '-c', 'user.email=x@x', ...args], {
    env: home.env,
    stdio: 'pipe',
  })

/** What a client does to see whether a server works. */
async function checkHealth(home: Home, cwd: string) {
  await using session = await startSession(home, { cwd })
  await session.tools()
}

test('a repository that was moved gets its name and its mail back, another of the same name does not', async () => {
  await using home = await createHome({ install: true })
  const cwd = await home.project('api', { git: true })
  await using _hub = await runHub(home)
  await using web = await joinAs(home, 'web')
  const first = await startSession(home, { cwd })
  await web.send('api', 'before the move')
  await first[Symbol.asyncDispose]()
  await home.project('elsewhere')
  renameSync(cwd, join(home.path, 'elsewhere/api'))
  await using stranger = await startSession(home, { cwd: await home.project('other/api', { git: true }) })
  expect(nameOf(stranger)).toBe('api-2')
  await using reborn = await startSession(home, { cwd: await home.project('api', { git: true }) })
  expect(nameOf(reborn)).toBe('api-3')
  await using next = await startSession(home, { cwd: join(home.path, 'elsewhere/api') })
  expect(nameOf(next)).toBe('api')
  expect(await next.deliver('UserPromptSubmit')).toContain('before the move')
})

test('a health check leaves no seat, and makes nobody a previous session', async () => {
  await using home = await createHome({ install: true })
  const cwd = await home.project('api')
  await using _hub = await runHub(home)
  await using web = await joinAs(home, 'web')
  await checkHealth(home, cwd)
  const listed = () => web.hub.peers.list.query().then(({ peers }) => peers.map(({ name }) => name))
  expect(await listed()).not.toContain('api')

  const first = await startSession(home, { cwd })
  await web.send('api', 'while it is away')
  await first[Symbol.asyncDispose]()
  await checkHealth(home, cwd)
  await using again = await startSession(home, { cwd, sessionId: first.sessionId })
  const text = await again.deliver('UserPromptSubmit')
  expect(text).toContain('while it is away')
  expect(text).not.toContain('previous session')
  await checkHealth(home, cwd)
  expect((await listed()).filter((name) => name.startsWith('api'))).toEqual(['api'])
})

test('a session that was used keeps its seat, however short it was', async () => {
  await using home = await createHome({ install: true })
  const [one, two] = [await home.project('one'), await home.project('two')]
  await using _hub = await runHub(home)
  await using web = await joinAs(home, 'web')
  const byTool = await startSession(home, { cwd: one })
  await byTool.tools()
  await byTool.tool('list_peers')
  await byTool[Symbol.asyncDispose]()
  const byHook = await startSession(home, { cwd: two })
  await byHook.tools()
  await byHook.hook('UserPromptSubmit')
  await byHook[Symbol.asyncDispose]()
  const { peers } = await web.hub.peers.list.query()
  expect(peers.map(({ name }) => name)).toEqual(expect.arrayContaining(['one', 'two']))
})

test('worktrees are one repository, and mail to its name says which of them run', async () => {
  await using home = await createHome({ install: true })
  const main = await home.project('api', { git: true })
  git(home, main, 'commit', '--quiet', '--allow-empty', '-m', 'x')
  const feature = join(home.path, 'api-feature')
  git(home, main, 'worktree', 'add', '--quiet', feature)
  git(home, main, 'worktree', 'add', '--quiet', join(main, '.claude/worktrees/fix'))
  await using one = await startSession(home, { cwd: feature })
  await using two = await startSession(home, { cwd: join(main, '.claude/worktrees/fix') })
  await using web = await startSession(home, { cwd: await home.project('web') })
  expect([one, two].map(nameOf)).toEqual(['api-feature', 'fix'])
  const listed = await one.tool('list_peers', { scope: 'repo' })
  expect(listed.data['peers']).toMatchObject([{ address: 'fix@laptop' }])
  const unknown = await web.tool('send_message', { to: 'api', message: 'to the repository' })
  expect(unknown.isError).toBe(true)
  expect(unknown.text).toMatch(
    /Worktrees of that repository run: (api-feature|fix)@laptop, (api-feature|fix)@laptop\./,
  )

  const gone = await startSession(home, { cwd: main })
  await gone[Symbol.asyncDispose]()
  await waitFor(
    async () => (await web.tool('list_peers')).text.includes('Gone'),
    'the hub to know that it is gone',
  )
  const away = await web.tool('send_message', { to: 'api', message: 'to who is away' })
  expect(away.isError).toBeUndefined()
  expect(away.data['detail']).toMatch(/In other worktrees of that repository run: .*api-feature@laptop/)
  const all = await one.tool('send_message', { to: 'all', scope: 'repo', message: 'to the others' })
  expect(all.data['recipients']).toMatchObject([{ to: 'fix@laptop' }])
})

test.each(['Мой Проект', '日本語', 'مُحَرِّر', 'น้ำใจ', 'Cafe\u0301_API', 'foo@bar'])(
  'the session of %s is addressed as its directory is written',
  async (directory) => {
    await using home = await createHome({ install: true })
    await using session = await startSession(home, { cwd: await home.project(directory) })
    await using web = await startSession(home, { cwd: await home.project('web') })
    const spellings = [directory, directory.normalize('NFD'), directory.toUpperCase(), `${directory}@laptop`]
    for (const [index, to] of spellings.entries()) {
      const { data, text } = await web.tool('send_message', { to, message: `number ${index}` })
      expect([to, data['recipients'] ?? text]).toMatchObject([to, [{ to: `${nameOf(session)}@laptop` }]])
    }
    const sent = await home.cli(['send', directory, 'from the person'])
    expect(sent).toMatchObject({ code: 0 })
  },
)
