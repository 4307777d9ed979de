/** What programs use while nobody does anything: half a minute after they started, over a minute. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { PACKAGE_ROOT } from '../lib/machine/package.ts'
import { createHome, type Home } from '../test/harness/home.ts'
import { createProject } from '../test/harness/project.ts'
import { startSession } from '../test/harness/session.ts'
import { amount } from './options.ts'
import { toBoundRow, toFigureRow, type Row } from './table.ts'
import { cpuOf, residentOf, wakeUpsOf } from './usage.ts'

const SESSIONS = amount(20, 2)
const SETTLE_MS = amount(30_000, 1_000)
const REST_MS = amount(60_000, 1_000)
const PER_MINUTE = 60_000 / REST_MS

type Figures = { cpu: number; wakeUps: number; resident: number }
type Use = Figures & { name: string }

const MCP_SERVER = 'MCP server'
/** What an MCP server may take at rest. */
const MOST: Figures = { cpu: 60, wakeUps: 200, resident: 78 }

/** All of them rest at the same time. */
export async function benchIdle(): Promise<Row[]> {
  await using alone = await openHome()
  await using crowd = await openHome()
  await using followed = await openHome()
  const [session] = await alone.sessions(1)
  await crowd.sessions(SESSIONS)
  const { home } = followed
  const cli = join(PACKAGE_ROOT, 'bin/claude-peers.cjs')
  await using project = await createProject()
  // Starts the hub that the other one watches.
  await using follower = await project.follow(home)
  await using watcher = startProgram(home, [cli, 'watch'])
  await using node = startProgram(home, ['-e', 'setInterval(() => {}, 2 ** 30)'])
  const pids = {
    [MCP_SERVER]: await session!.mcpPid(),
    'hub, 1 session': (await alone.home.rendezvous()).pid,
    [`hub, ${SESSIONS} sessions`]: (await crowd.home.rendezvous()).pid,
    '`claude-peers watch`': watcher.pid,
    'program that follows a feed with `claude-peers/client`': follower.pid,
    '`node` that waits': node.pid,
  }
  return (await useAtRest(pids)).flatMap(toRows)
}

/** A home whose sessions end before it does. */
async function openHome() {
  const stack = new AsyncDisposableStack()
  const home = stack.use(await createHome({ install: true }))
  return {
    home,
    sessions: (count: number) =>
      Promise.all(
        Array.from({ length: count }, async (_, index) =>
          stack.use(await startSession(home, { cwd: await home.project(`session-${index}`) })),
        ),
      ),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

function startProgram({ env, path }: Home, args: string[]) {
  const child = spawn(process.execPath, args, { env, cwd: path, stdio: ['ignore', 'ignore', 'inherit'] })
  const exited = once(child, 'exit')
  return {
    pid: child.pid!,
    async [Symbol.asyncDispose]() {
      child.kill()
      await exited
    },
  }
}

async function useAtRest(pids: Record<string, number>): Promise<Use[]> {
  const measure = () =>
    Object.entries(pids).map(([name, pid]) => ({
      name,
      cpu: cpuOf(pid),
      wakeUps: wakeUpsOf(pid),
      resident: residentOf(pid),
    }))
  await pause(SETTLE_MS)
  const before = measure()
  await pause(REST_MS)
  return measure().map(({ name, cpu, wakeUps }, index) => {
    const first = before[index]!
    return {
      name,
      cpu: (cpu - first.cpu) * PER_MINUTE,
      wakeUps: (wakeUps - first.wakeUps) * PER_MINUTE,
      resident: first.resident,
    }
  })
}

const MEASURES = [
  ['cpu', 'CPU a minute', 'ms'],
  ['wakeUps', 'wake-ups a minute', ''],
  ['resident', 'RSS', 'MB'],
] as const

function toRows({ name, ...use }: Use): Row[] {
  return MEASURES.map(([key, what, unit]) => {
    const measure = `${name}, at rest: ${what}`
    if (name !== MCP_SERVER) return toFigureRow(measure, use[key], unit)
    return toBoundRow({ measure, samples: [use[key]], most: MOST[key], unit })
  })
}
