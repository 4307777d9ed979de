/** Another user of the same machine. */
import { execFile } from 'node:child_process'
import { chmod, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { writeCard } from '../../lib/machine/cards.ts'
import { createHome, type Home } from '../harness/home.ts'
import { runHub, takeSeat } from '../harness/hub.ts'
import { exchange } from '../harness/raw.ts'
import { ownIdentity, toLabel } from '../../lib/machine/processes.ts'

const run = promisify(execFile)
const isPosix = process.platform !== 'win32'
/** The user `nobody`, whom only root can become; `setpriv` is of Linux. */
const asNobody = ['--reuid=65534', '--regid=65534', '--clear-groups']
const canBecomeNobody =
  process.getuid?.() === 0 &&
  (await run('setpriv', [...asNobody, 'id', '-u']).then(
    ({ stdout }) => stdout.trim() === '65534',
    () => false,
  ))

/** Everything below a home, but for what the test made itself. */
async function listFiles(home: Home): Promise<string[]> {
  const entries = await readdir(home.path, { recursive: true, withFileTypes: true })
  return entries.map((entry) => join(entry.parentPath, entry.name))
}

/** A home whose hub runs and has mail, with a card, and into which everybody may look, as is usual. */
async function openUsed() {
  const home = await createHome()
  await chmod(home.path, 0o755)
  const hub = await runHub(home)
  const [web, api] = [await takeSeat(hub, 'web'), await takeSeat(hub, 'api')]
  await web.client.messages.send.mutate({ to: 'api', message: 'secret', idempotencyKey: 'secret-key' })
  await home.cli(['send', 'api', 'from the person'])
  writeCard(join(home.path, '.claude-peers/sessions'), {
    hubUrl: hub.url,
    token: hub.token,
    hub: undefined,
    peerId: api.id,
    name: 'api',
    key: api.key,
    toolPrefix: 'mcp__claude-peers__',
    claude: { ...ownIdentity(), start: undefined },
    mcp: { ...ownIdentity(), start: undefined },
    sessionIds: [],
    transcript: undefined,
  })
  return { home, hub, files: await listFiles(home) }
}

test.runIf(isPosix)('nothing that claude-peers keeps has a right for anybody but its owner', async () => {
  const { home, hub, files } = await openUsed()
  await using _ = home
  await using _hub = hub
  const names = files.map((file) => file.slice(home.path.length + 1))
  for (const name of [
    '.claude-peers.db',
    '.claude-peers.db-wal',
    '.claude-peers.db-shm',
    '.claude-peers.db.lock',
    '.claude-peers.machine-id',
    '.claude-peers',
    '.claude-peers/token',
    '.claude-peers/hub.json',
    '.claude-peers/hub.log',
    '.claude-peers/user.json',
    '.claude-peers/sessions',
    `.claude-peers/sessions/${toLabel(process.pid)}.json`,
  ]) {
    expect(names).toContain(name)
  }
  for (const file of files) {
    const { mode } = await stat(file)
    expect(`${file} ${(mode & 0o077).toString(8)}`).toBe(`${file} 0`)
  }
})

test.runIf(canBecomeNobody)(
  'the user nobody can read no file of claude-peers and list no directory, although the home is open (needs root and setpriv)',
  async () => {
    const { home, hub, files } = await openUsed()
    await using _ = home
    await using _hub = hub
    const open = join(home.path, 'open.txt')
    await writeFile(open, 'x')
    await chmod(open, 0o644)
    const read = (file: string) =>
      run('setpriv', [
        ...asNobody,
        'sh',
        '-c',
        'if [ -d "$1" ]; then ls "$1"; else head -c 1 "$1"; fi',
        'sh',
        file,
      ])
    expect((await read(open)).stdout).toBe('x')
    for (const file of files) {
      await expect(read(file)).rejects.toMatchObject({ stderr: expect.stringMatching(/Permission denied/) })
    }
  },
)

test('whoever reaches the port without the token of its user gets the health, and nothing else', async () => {
  await using home = await createHome()
  await using hub = await runHub(home)
  const health = JSON.parse((await exchange(`${hub.url}/health`)).body) as object
  expect(Object.keys(health).toSorted()).toEqual(['name', 'status', 'version'])
  for (const path of ['hub.stats', 'peers.list', 'messages.history', 'machines.list']) {
    expect((await exchange(`${hub.url}/trpc/${path}`)).status).toBe(401)
  }
})
