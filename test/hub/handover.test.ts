import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createHome, type Home } from '../harness/home.ts'
import { runHub, stockClient, takeSeat } from '../harness/hub.ts'
import { installVersion, type Installation } from '../harness/installation.ts'
import { createProject, type Project } from '../harness/project.ts'
import { startFrom, VERSION } from '../harness/starter.ts'
import { waitFor } from '../harness/wait.ts'

const OLDER = '2.99.0'
const run = promisify(execFile)

/** An older installation, and a project that uses it: its programs would start the older hub. */
let older: Installation
let project: Project
beforeAll(async () => {
  older = await installVersion(OLDER)
  project = await createProject(older.root)
})
afterAll(async () => {
  await project[Symbol.asyncDispose]()
  await older[Symbol.asyncDispose]()
})

const olderHub = () => ({ script: join(older.root, 'dist/hub.js') })

/** The hub that serves a home now, as it says itself. */
async function served(home: Home) {
  const { url } = await home.rendezvous()
  return stockClient({ url, headers: { authorization: `Bearer ${await home.token()}` } }).hub.stats.query()
}

describe.concurrent('when a newer version is installed', () => {
  test('its first program has the older hub hand over, with all of the mail', async () => {
    await using home = await createHome()
    await using hub = await runHub(home, olderHub())
    expect(await served(home)).toMatchObject({ version: OLDER, pid: hub.pid })
    const [web, api] = [await takeSeat(hub, 'web'), await takeSeat(hub, 'api')]
    await web.client.messages.send.mutate({ to: 'api', message: 'kept', idempotencyKey: 'kept-key' })
    const answer = await startFrom(home)
    expect(answer).toMatchObject({ version: VERSION })
    expect(await hub.exited).toBe(0)
    expect(await served(home)).toMatchObject({ version: VERSION })
    const again = stockClient({ url: answer.url!, headers: api.headers })
    expect((await again.mailbox.peek.query()).messages).toMatchObject([{ text: 'kept' }])
  })

  test('the sessions of the older version stay, and do not bring their hub back', async () => {
    await using home = await createHome()
    await using cleanup = new AsyncDisposableStack()
    const programs = await Promise.all([1, 2, 3].map(() => project.follow(home)))
    for (const program of programs) cleanup.use(program)
    expect(await served(home)).toMatchObject({ version: OLDER })
    const answers = await Promise.all([startFrom(home), startFrom(home), startFrom(home)])
    expect(answers.map((answer) => answer.version)).toEqual([VERSION, VERSION, VERSION])
    const { version, pid } = await served(home)
    expect(version).toBe(VERSION)
    for (const program of programs) {
      await waitFor(
        () => program.lines.filter((line) => line.state === 'open').length > 1,
        'the feed to be back',
        20_000,
      )
      program.call()
      await waitFor(() => program.pids().length > 0, 'the answer', 20_000)
      expect(program.pids()).toEqual([pid])
    }
    expect(await served(home)).toMatchObject({ version: VERSION, pid })
  })

  test('a program of the older version leaves the newer hub alone', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    await using program = await project.follow(home)
    program.call()
    await waitFor(() => program.pids().length > 0, 'the answer', 20_000)
    expect(program.pids()).toEqual([hub.pid])
  })

  test('which cannot start, the older hub goes on', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    await using broken = await installVersion('99.0.0')
    await rm(join(broken.root, 'dist/hub.js'))
    await using users = await createProject(broken.root)
    await users.write('start.ts', START)
    const { stdout } = await run(process.execPath, ['start.ts'], {
      cwd: users.path,
      env: home.env,
    })
    expect(stdout).toBe(`The hub ended at once (1): see ${join(home.path, '.claude-peers/hub.err')}.`)
    expect(existsSync(join(home.path, '.claude-peers/hub.err'))).toBe(true)
    expect(await served(home)).toMatchObject({ pid: hub.pid })
  })
})

const START = `
import { connectToHub } from 'claude-peers/client'
await connectToHub().then(
  () => process.stdout.write('it started'),
  (cause) => process.stdout.write(cause.message),
)
`
