/** A way to the hub that goes silent under a session that has mail: what its hooks cost, and that it gets its mail. */
import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { sessionFile } from '../../lib/machine/cards.ts'
import { createHome } from '../harness/home.ts'
import { runHub } from '../harness/hub.ts'
import { joinAs } from '../harness/peer.ts'
import { openProxy } from '../harness/proxy.ts'
import { createRemoteHome } from '../harness/remote.ts'
import { startSession, type Session } from '../harness/session.ts'
import { waitFor } from '../harness/wait.ts'
import { WAIT_MS } from '../hook/rig.ts'

const EVENTS = ['PostToolUse', 'UserPromptSubmit', 'SessionStart', 'Stop']

async function costs(session: Session): Promise<Record<string, number>> {
  const found: Record<string, number> = {}
  for (const event of EVENTS) {
    const start = performance.now()
    await session.hook(event)
    found[event] = Math.round(performance.now() - start)
  }
  return found
}

test('a hub that falls silent is noticed within 20 seconds, and costs no hook its deadline from then on', async () => {
  await using hubHome = await createHome({ host: 'studio' })
  await using hub = await runHub(hubHome)
  await using web = await joinAs(hubHome, 'web')
  await using proxy = await openProxy(hub.url)
  await using home = await createRemoteHome(hubHome, { url: proxy.url, host: 'laptop' })
  await using far = await startSession(home, { cwd: await home.project('far') })
  await web.send('far@laptop', 'kept for you', { urgency: 'fyi' })
  await far.mailWaits()
  proxy.freeze()
  const start = performance.now()
  const isMarked = () => existsSync(sessionFile(`${home.path}/.claude-peers/sessions`, far.pid, 'cut'))
  // 10 s to the next ping, 7.5 s for its pong, 1 s to close; and what a busy machine adds.
  await waitFor(isMarked, 'the silence to be noticed', 30_000)
  expect(performance.now() - start).toBeLessThan(20_000)
  expect(far.hasMailFlag()).toBe(false)
  const cost = await costs(far)
  for (const event of EVENTS) expect([event, cost[event]! < WAIT_MS]).toEqual([event, true])
  await proxy.mend()
  await waitFor(() => far.hasMailFlag() && !isMarked(), 'the mail to be announced again', 30_000)
  expect(await far.deliver('PostToolUse')).toContain('kept for you')
}, 90_000)

test('the mark of a server that was killed keeps no mail back', async () => {
  await using hubHome = await createHome({ host: 'studio' })
  await using hub = await runHub(hubHome)
  await using web = await joinAs(hubHome, 'web')
  await using proxy = await openProxy(hub.url)
  await using home = await createRemoteHome(hubHome, { url: proxy.url, host: 'laptop' })
  await using far = await startSession(home, { cwd: await home.project('far') })
  await proxy.cut()
  const isMarked = () => existsSync(sessionFile(`${home.path}/.claude-peers/sessions`, far.pid, 'cut'))
  await waitFor(isMarked, 'the mark')
  await far.killMcp()
  await proxy.mend()
  await web.send('far@laptop', 'no server there')
  expect(await far.deliver('UserPromptSubmit')).toContain('no server there')
  await far.startMcp(0)
  await waitFor(() => !isMarked(), 'the mark to be gone')
}, 60_000)
