import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Home } from './home.ts'
import { waitFor } from './wait.ts'

type Line = { state?: string; started?: true; id?: string; text?: string; error?: string; pid?: number }

/** A program of the project that follows the messages of a home, and asks for the hub's pid when told to. */
export type Follower = AsyncDisposable & {
  pid: number
  lines: Line[]
  texts(): string[]
  pids(): number[]
  call(): void
}

/** A project of somebody else that has claude-peers as a dependency. */
export type Project = AsyncDisposable & {
  path: string
  write(name: string, content: string): Promise<void>
  follow(home: Home): Promise<Follower>
}

const FOLLOW = `
import { createInterface } from 'node:readline'
import { connectToHub } from 'claude-peers/client'

const client = await connectToHub({ onFeed: (state) => console.log(JSON.stringify({ state })) })
client.hub.messages.watch.subscribe(undefined, {
  onStarted: () => console.log(JSON.stringify({ started: true })),
  onData: ({ id, data }) => console.log(JSON.stringify({ id, text: data.entry.text })),
  onError: (cause) => console.log(JSON.stringify({ error: cause.message })),
})
createInterface({ input: process.stdin }).on('line', async () => {
  const { pid } = await client.hub.hub.stats.query()
  console.log(JSON.stringify({ pid }))
})
`

/** Makes a project on an installation of claude-peers: this checkout, if it is not told of another. */
export async function createProject(installation = join(import.meta.dirname, '../..')): Promise<Project> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'claude-peers-project-')))
  const write = (name: string, content: string) => writeFile(join(path, name), content)
  await mkdir(join(path, 'node_modules'))
  await symlink(installation, join(path, 'node_modules/claude-peers'))
  await write('package.json', '{"type":"module"}')
  await write('follow.ts', FOLLOW)
  return {
    path,
    write,
    follow: (home) => follow(path, home),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  }
}

async function follow(project: string, home: Home): Promise<Follower> {
  const child: ChildProcess = spawn(process.execPath, ['follow.ts'], {
    cwd: project,
    env: home.env,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines: Line[] = []
  createInterface({ input: child.stdout! }).on('line', (line) => lines.push(JSON.parse(line) as Line))
  await waitFor(() => lines.some((line) => line.started), 'the feed')
  return {
    pid: child.pid!,
    lines,
    texts: () => lines.flatMap((line) => line.text ?? []),
    call: () => void child.stdin!.write('\n'),
    pids: () => lines.flatMap((line) => line.pid ?? []),
    async [Symbol.asyncDispose]() {
      child.kill()
      await once(child, 'exit')
    },
  }
}
