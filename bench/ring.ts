/** How fast an idle session is woken, with a stand-in for the client. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sessionFile, setMailFlag } from '../lib/machine/cards.ts'
import { createHome, type Home } from '../test/harness/home.ts'
import { joinAs } from '../test/harness/peer.ts'
import { preloadInto } from '../test/harness/preload.ts'
import { startSession, type Session } from '../test/harness/session.ts'
import { waitFor } from '../test/harness/wait.ts'
import { timed, type Samples } from './measure.ts'
import { amount } from './options.ts'
import { toBoundRow, type Row } from './table.ts'

const RINGS = amount(50, 3)
const RING_BOUND_MS = 20
/** The bound of the project's plan, for the 95th of 100 rings. */
const WAKE_BOUND_MS = 300
const STAMP = join(import.meta.dirname, 'fixture/stamp.cjs')

export async function benchRing(): Promise<Row[]> {
  await using home = await createHome({ install: true })
  await using session = await startSession(home, { cwd: await home.project('api') })
  return [
    toBoundRow({
      measure: `ring to hook start, a stand-in client, ${RINGS} times, p95`,
      samples: await ringToHook(home, session),
      share: 0.95,
      most: RING_BOUND_MS,
      unit: 'ms',
    }),
    toBoundRow({
      measure: `a message wakes a stand-in client, ${RINGS} times, p95`,
      samples: await sendToWake(home, session),
      share: 0.95,
      most: WAKE_BOUND_MS,
      unit: 'ms',
    }),
  ]
}

/** From the ring, as the MCP server makes it, until the process of the hook begins that the woken turn starts. */
async function ringToHook(home: Home, session: Session): Promise<Samples> {
  const sessions = join(home.path, '.claude-peers/sessions')
  const stamp = join(home.path, 'stamp')
  const restore = preloadInto(home, STAMP)
  const env = { BENCH_STAMP_FILE: stamp }
  const samples: Samples = []
  for (let ring = 0; ring < RINGS; ring++) {
    const woken = session.waiter()
    await waitFor(() => session.waiterPid(), 'the waiter')
    setMailFlag(sessions, session.pid, 'wake')
    const rung = performance.timeOrigin + performance.now()
    writeFileSync(sessionFile(sessions, session.pid, 'bell'), '\n')
    await woken
    await session.hook('UserPromptSubmit', {}, env)
    samples.push(Number(readFileSync(stamp, 'utf8')) - rung)
    setMailFlag(sessions, session.pid, undefined)
    await session.hook('Stop')
  }
  restore()
  return samples
}

/** From the call that sends to the end of the waiter, that wakes. */
async function sendToWake(home: Home, session: Session): Promise<Samples> {
  await using web = await joinAs(home, 'web')
  const samples: Samples = []
  for (let ring = 0; ring < RINGS; ring++) {
    const woken = session.waiter()
    await waitFor(() => session.waiterPid(), 'the waiter')
    samples.push(await timed(async () => (await web.send('api', `ring ${ring}`), await woken)))
    await session.deliver('UserPromptSubmit')
    await session.deliver('Stop')
  }
  return samples
}
