import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createHome, type Home } from '../harness/home.ts'
import { runHub, stockClient, takeSeat } from '../harness/hub.ts'
import { createProject, type Project } from '../harness/project.ts'
import { startFrom } from '../harness/starter.ts'
import { waitFor } from '../harness/wait.ts'

const root = join(import.meta.dirname, '../..')
const run = promisify(execFile)

let project: Project
beforeAll(async () => {
  project = await createProject()
  await project.write('once.ts', ONCE)
})
afterAll(() => project[Symbol.asyncDispose]())

const ONCE = `
import { connectToHub, type AppRouter, type HubClient } from 'claude-peers/client'

const client: HubClient = await connectToHub()
const { version, status } = await client.hub.hub.health.query()
const { peers } = await client.hub.peers.list.query({ scope: 'network' })
const names: string[] = peers.map((peer) => peer.name)
const state: 'online' | 'offline' | undefined = peers[0]?.state
console.log(JSON.stringify({ version, status, names, state }))
await client.close()
export type { AppRouter }
`

/** Checks programs of the project, and gives what the compiler says. */
async function check(files: string[], { skipLibCheck }: { skipLibCheck: boolean }): Promise<string> {
  const options = {
    target: 'es2024',
    module: 'nodenext',
    moduleResolution: 'nodenext',
    strict: true,
    noEmit: true,
    skipLibCheck,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
  }
  const config = `tsconfig-${files.join()}-${skipLibCheck}.json`
  await project.write(config, JSON.stringify({ compilerOptions: options, files }))
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  return run(process.execPath, [tsc, '-p', config, '--pretty', 'false'], { cwd: project.path }).then(
    ({ stdout }) => stdout,
    (cause: { stdout: string }) => cause.stdout,
  )
}

describe('claude-peers/client in another project', () => {
  test.each([true, false])(
    'has types that hold in a strict program (skipLibCheck: %s)',
    async (skipLibCheck) => {
      expect(await check(['once.ts', 'follow.ts'], { skipLibCheck })).toBe('')
    },
  )

  test('tells a wrong call at compile time', async () => {
    const wrong = [
      'await client.hub.peers.nothing.query()',
      "await client.hub.peers.list.mutate({ scope: 'network' })",
      "await client.hub.peers.list.query({ scope: 'galaxy' })",
      "await client.hub.messages.send.mutate({ to: 'api', message: 1, idempotencyKey: 'x' })",
      'const id: number = (await client.hub.peers.list.query()).peers[0]!.id',
      'client.hub.mailbox.watch.subscribe(undefined, { onData: ({ data }) => data.nonsense })',
      'await connectToHub({ nothing: true })',
    ]
    const head = "import { connectToHub } from 'claude-peers/client'\nconst client = await connectToHub()\n"
    await project.write('wrong.ts', `${head}${wrong.join('\n')}\nexport { id }\n`)
    const said = await check(['wrong.ts'], { skipLibCheck: true })
    const lines = [...said.matchAll(/^wrong\.ts\((\d+),/gm)].map(([, line]) => Number(line))
    expect([...new Set(lines)]).toEqual(wrong.map((_, index) => index + 3))
  })

  test('starts the hub, calls it, and lets its program end', async () => {
    await using home = await createHome()
    const { stdout, stderr } = await run(process.execPath, ['once.ts'], {
      cwd: project.path,
      env: home.env,
      timeout: 20_000,
    })
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toMatchObject({ status: 'ok', names: [] })
    expect(await home.rendezvous()).toMatchObject({ version: JSON.parse(stdout).version })
  })

  test('says why there is no hub', async () => {
    await using home = await createHome()
    const env = { ...home.env, CLAUDE_PEERS_BROKER_URL: 'http://127.0.0.1:9', CLAUDE_PEERS_TOKEN: 'x' }
    await expect(run(process.execPath, ['once.ts'], { cwd: project.path, env })).rejects.toMatchObject({
      stderr: expect.stringContaining(
        'The hub at http://127.0.0.1:9 does not answer. It runs on another machine',
      ),
    })
  })
})

describe.concurrent('programs that hold subscriptions', () => {
  /** Sends a message through the hub that serves the home now. */
  async function say(home: Home, text: string) {
    const { url } = await home.rendezvous()
    const at = { url, headers: { authorization: `Bearer ${await home.token()}` } }
    const sender = await takeSeat(at, `sender-${text}`)
    await takeSeat(at, 'reader', { kind: 'user' })
    await sender.client.messages.send.mutate({ to: 'user', message: text, idempotencyKey: `say-${text}-key` })
  }

  test('start the hub again when it is killed, and miss nothing', async () => {
    await using home = await createHome()
    await startFrom(home)
    await using one = await project.follow(home)
    await using other = await project.follow(home)
    const { pid } = await home.rendezvous()
    await say(home, 'before')
    for (const program of [one, other]) await waitFor(() => program.texts().length === 1, 'the first message')
    process.kill(pid, 'SIGKILL')
    const next = await waitFor(
      () =>
        home.rendezvous().then(
          (left) => (left.pid === pid ? undefined : left),
          () => undefined,
        ),
      'a hub that nobody but the programs can have started',
    )
    await say(home, 'after')
    for (const program of [one, other]) {
      await waitFor(() => program.texts().length >= 2, 'the second message')
      expect(program.texts()).toEqual(['before', 'after'])
      expect(program.lines.filter((line) => line.error)).toEqual([])
      program.call()
      await waitFor(() => program.pids().length === 1, 'the answer')
      expect(program.pids()).toEqual([next.pid])
    }
  })

  test('follow the hub when a newer version takes over, and do not bring the older one back', async () => {
    await using home = await createHome()
    await startFrom(home)
    await using one = await project.follow(home)
    await using other = await project.follow(home)
    await using third = await project.follow(home)
    const { pid } = await home.rendezvous()
    await say(home, 'before')
    const { error } = await startFrom(home, { version: '99.0.0' })
    expect(error).toBeUndefined()
    const next = await home.rendezvous()
    expect(next.pid).not.toBe(pid)
    await say(home, 'after')
    for (const program of [one, other, third]) {
      await waitFor(() => program.texts().length >= 2, 'the second message')
      expect(program.texts()).toEqual(['before', 'after'])
    }
    expect((await home.rendezvous()).pid).toBe(next.pid)
  })

  test('end with their hub’s machine: nothing of them is left in the hub', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    {
      await using _one = await project.follow(home)
      await waitFor(async () => (await stockClient(hub).hub.stats.query()).sockets === 1, 'the socket')
    }
    expect(
      await waitFor(async () => (await stockClient(hub).hub.stats.query()).sockets === 0, 'no socket'),
    ).toBe(true)
  })
})
