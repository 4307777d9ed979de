import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { wakeUpsOf } from '../../bench/usage.ts'
import { createHome, type Home } from '../harness/home.ts'
import { createProject } from '../harness/project.ts'
import { startSession } from '../harness/session.ts'

const CLI = join(import.meta.dirname, '../../bin/claude-peers.cjs')
/** What is counted is time in which nothing happens, so there is no event to wait for. */
const REST_MS = 4_000
/** A fifth of what one timer of 1 ms takes, and ten times what they take. */
const MOST = 200

async function startWatch({ env, path }: Home) {
  const child = spawn(process.execPath, [CLI, 'watch'], {
    env,
    cwd: path,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  await once(child.stdout, 'data')
  return {
    pid: child.pid!,
    async [Symbol.asyncDispose]() {
      child.kill()
      await exited
    },
  }
}

// Seen: 900 wake-ups a second of everything that followed a feed.
test('a session, its hub, `watch` and a program that follows a feed sleep while nothing happens', async () => {
  await using home = await createHome({ install: true })
  await using session = await startSession(home, { cwd: await home.project('api') })
  await using watch = await startWatch(home)
  await using project = await createProject()
  await using program = await project.follow(home)
  const pids = {
    server: await session.mcpPid(),
    hub: (await home.rendezvous()).pid,
    watch: watch.pid,
    program: program.pid,
  }
  const count = () => Object.values(pids).map(wakeUpsOf)
  const before = count()
  await pause(REST_MS)
  const used = count().map((after, index) => after - before[index]!)
  const restless = Object.keys(pids).filter((_, index) => used[index]! > MOST)
  expect(restless, `${Object.keys(pids).join(', ')} woke ${used.join(', ')} times`).toEqual([])
})
