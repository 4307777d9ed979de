import { expect, test } from 'vitest'
import { openLink, type Link } from '../../apps/mcp/link.ts'
import { readConfig } from '../../lib/machine/config.ts'
import { ownIdentity } from '../../lib/machine/processes.ts'
import type { Activity } from '../../lib/router/shapes/peers.ts'
import { anotherHub, createHome, type Home } from '../harness/home.ts'
import { waitFor } from '../harness/wait.ts'

/** A directory without a repository. */
const ALONE = { repository: undefined, remote: undefined, place: undefined }

const IDLE: Activity = { activity: 'idle', wakeable: true, headless: false }
const BUSY: Activity = { activity: 'busy', wakeable: false, headless: false }

/** The link of a session whose Claude process is this one; the hub that it starts belongs to the home. */
function link(home: Home): Link & AsyncDisposable {
  const cwd = `${home.path}/api`
  const config = readConfig(home.env, home.path)
  const opened = openLink({
    readConfig: () => config,
    sessions: config.paths.sessions,
    claude: ownIdentity(),
    readProject: async () => ({ cwd, root: cwd, isRepo: false, branch: undefined, ...ALONE }),
    sessionId: undefined,
    toolPrefix: 'mcp__claude-peers__',
  })
  return { ...opened, [Symbol.asyncDispose]: () => opened.leave() }
}

/** What the command line says of the session, once it says what is expected. */
const shows = (home: Home, words: string): Promise<boolean> =>
  waitFor(async () => (await home.cli(['status'])).stdout.includes(`- api@laptop: ${words} · `), words)

test('what a session does is shown from its first word on, as it changes, and by the next hub', async () => {
  await using home = await createHome()
  await using session = link(home)
  // Said before there is a seat, as a server does that looks at its session when it starts.
  session.reportActivity(IDLE)
  await session.ready
  expect(await shows(home, 'idle, mail wakes it')).toBe(true)
  const sent = await home.cli(['send', 'api', 'wake up'])
  expect(sent.stdout).toMatch(/\n- api@laptop: queued: waking it now\n$/)
  session.reportActivity(BUSY)
  expect(await shows(home, 'busy')).toBe(true)
  expect((await home.cli(['send', 'api', 'look here'])).stdout).toContain(
    'queued: arrives at its next tool call or turn end\n',
  )
  const { pid } = await home.rendezvous()
  await home.stopHub('SIGKILL')
  await anotherHub(home, pid)
  expect(await shows(home, 'busy')).toBe(true)
})

test('what it does while no hub can be had is told when there is one', async () => {
  await using home = await createHome()
  await using session = link(home)
  await session.ready
  await home.stopHub('SIGKILL')
  session.reportActivity(BUSY)
  await session.seated()
  expect(await shows(home, 'busy')).toBe(true)
})
