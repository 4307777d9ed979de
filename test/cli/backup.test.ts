import { createTRPCClient, createWSClient, retryLink, wsLink } from '@trpc/client'
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { AppRouter } from '../../lib/router/router.ts'
import { openPlain } from '../db/harness.ts'
import { blockPort } from '../harness/blocker.ts'
import { createHome, type Home } from '../harness/home.ts'
import { runHub, socketWith, stockClient, takeSeat, type HubProcess, type Seat } from '../harness/hub.ts'
import { joinAs } from '../harness/peer.ts'
import { startSession } from '../harness/session.ts'
import { waitFor } from '../harness/wait.ts'
import { startProgram } from './program.ts'

const database = (home: Home) => join(home.path, '.claude-peers.db')
let keys = 0
const draft = (to: string, message: string) => ({ to, message, idempotencyKey: `backup-${++keys}` })

/** A mailbox as a program of any kind reads it, with the key that it got before. */
const readAs = ({ headers }: Seat, { url, token }: { url: string; token: string }) =>
  stockClient({ url, headers: { ...headers, authorization: `Bearer ${token}` } })

async function backUp(home: Home, args: string[] = []): Promise<string> {
  const { code, stdout, stderr } = await home.cli(['backup', ...args])
  expect([code, stderr]).toEqual([0, ''])
  const [, path] = /^Backed up .* to (.+): \d+ bytes, \d+ messages? waiting\.$/m.exec(stdout)!
  return path!.replace(/^~/, () => home.path)
}

describe('backup', () => {
  test('is made while the hub runs and takes mail, and all of what was said before it is in it', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    const [web] = [await takeSeat(hub, 'web'), await takeSeat(hub, 'api')]
    await web.client.messages.send.mutate(draft('api', 'said before'))
    let done = false
    const busy = keepSending(hub, web, () => done)
    const path = await backUp(home)
    done = true
    const { sent, failures } = await busy
    expect(failures).toEqual([])
    expect(sent).toBeGreaterThan(0)
    expect(path).toMatch(/\/\.claude-peers\/backups\/claude-peers\.db\.backup-\d{8}-\d{6}$/)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(join(home.path, '.claude-peers/backups')).mode & 0o777).toBe(0o700)
    await using other = await createHome({ host: 'other' })
    expect((await other.cli(['restore', path])).code).toBe(0)
    await using restored = await runHub(other)
    const { entries } = await stockClient(restored).messages.history.query({ limit: 500 })
    expect(entries.at(-1)!.text).toBe('said before')
  })

  test('goes where it is wanted, never over a file, and makes room where it is told to', async () => {
    await using home = await createHome()
    await home.cli(['migrate'])
    const relative = await backUp(home, ['mine.db'])
    expect(relative).toBe(join(home.path, 'mine.db'))
    const again = await home.cli(['backup', 'mine.db'])
    expect([again.code, again.stdout]).toEqual([1, ''])
    expect(again.stderr).toMatch(/mine\.db is there already and was left as it is/)
    expect(await backUp(home, ['--', '--odd.db'])).toBe(join(home.path, '--odd.db'))
    for (let count = 0; count < 3; count++) await backUp(home, ['--keep', '2'])
    const left = readdirSync(join(home.path, '.claude-peers/backups'))
    expect(left).toHaveLength(2)
    expect((await home.cli(['backup', '--keep', '0'])).code).toBe(2)
    expect((await home.cli(['backup', 'two.db', '--keep', '2'])).stderr).toMatch(/give a directory/)
  })

  test('says so when there is nothing to back up', async () => {
    await using home = await createHome()
    const { code, stderr } = await home.cli(['backup'])
    expect([code, stderr]).toEqual([1, expect.stringContaining('There is no mail in')])
  })
})

describe('restore', () => {
  test('is refused while a hub serves, with what to do; with --stop it stops that first', async () => {
    await using home = await createHome({ install: true })
    const api = await startSession(home, { cwd: await home.project('api') })
    await using _api = api
    await using web = await joinAs(home, 'web')
    const waiting = await web.send('api', 'waiting')
    const path = await backUp(home)
    await web.send('api', 'after the backup')
    const { pid } = await home.rendezvous()
    const refused = await home.cli(['restore', path])
    expect([refused.code, refused.stdout]).toEqual([3, ''])
    expect(refused.stderr).toMatch(
      new RegExp(`\\(pid ${pid}\\) serves .*: nothing was restored\\. With --stop`),
    )
    expect((await home.rendezvous()).pid).toBe(pid)
    const { code, stdout, stderr } = await home.cli(['restore', '--stop', path])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/: 1 message waiting, marked as possibly seen before\.\n/)
    expect(stdout).toMatch(/The database as it was is kept at .*\.db\.backup-\d{8}-\d{6}\.\n/)
    // The session starts the hub again, and has its mail with a word about it.
    const isNew = () =>
      home.rendezvous().then(
        (left) => left.pid !== pid,
        () => false,
      )
    await waitFor(isNew, 'another hub', 20_000)
    const context = await waitFor(
      async () => {
        const delivered = await api.deliver('UserPromptSubmit')
        return delivered.includes('waiting') ? delivered : undefined
      },
      'the mail',
      20_000,
    )
    expect(context).toContain(`id="${waiting}"`)
    expect(context).toMatch(/you may have seen it before/)
    expect(context).not.toContain('after the backup')
  })

  test('ends also a hub in the foreground, and takes a backup that waits on another disk', async () => {
    await using home = await createHome()
    await using hub = startProgram(home, ['hub'])
    await waitFor(() => hub.stderr().includes('hub serves'), 'the hub to serve')
    const path = await backUp(home, ['copy.db'])
    const { code } = await home.cli(['restore', path, '--stop'])
    expect([code, await hub.end()]).toEqual([0, 0])
  })

  test.each([
    [
      'a newer one',
      5,
      (home: Home, path: string) => makeNewer(home, path),
      /newer claude-peers: update this/,
    ],
    ['a broken one', 1, (_: Home, path: string) => spoil(path), /is damaged/],
    ['a letter', 1, (home: Home) => letter(home), /is not a database of claude-peers/],
    ['nothing', 1, (home: Home) => join(home.path, 'none.db'), /There is no file/],
  ])('of %s is refused with %i, and nothing is touched', async (_, code, make, reason) => {
    await using home = await createHome()
    await home.cli(['migrate'])
    const given = make(home, await backUp(home, ['backup.db']))
    const before = readFileSync(database(home))
    const result = await home.cli(['restore', given])
    expect([result.code, result.stdout]).toEqual([code, ''])
    expect(result.stderr).toMatch(reason)
    expect(readFileSync(database(home)).equals(before)).toBe(true)
    expect(readdirSync(home.path).filter((name) => /restoring|building|backup-/.test(name))).toEqual([])
  })

  test('a stock client that follows a feed over it hears everybody anew, and goes on', async () => {
    await using home = await createHome()
    const env = { CLAUDE_PEERS_PORT: await freePort() }
    const hub = await runHub(home, { env })
    const seat = await takeSeat(hub, 'api')
    const { code, stdout } = await home.cli(['backup', 'copy.db'], { env })
    expect([code, stdout]).toEqual([0, expect.stringContaining('Backed up')])
    const socket = createWSClient({
      url: `${hub.url.replace('http', 'ws')}/trpc`,
      WebSocket: socketWith(hub.headers),
      retryDelayMs: () => 20,
    })
    const client = createTRPCClient<AppRouter>({
      links: [retryLink({ retry: () => true, retryDelayMs: () => 20 }), wsLink({ client: socket })],
    })
    const events: string[] = []
    client.peers.watch.subscribe(undefined, {
      onData: ({ data }) =>
        events.push(
          data.type === 'snapshot'
            ? `snapshot ${data.peers.map((peer) => peer.summary).join()}`
            : `${data.type} ${data.peer.summary}`,
        ),
    })
    await waitFor(() => events.includes('snapshot working on api'), 'the snapshot')
    await seat.client.peers.setSummary.mutate({ summary: 'of a lost future' })
    await waitFor(() => events.includes('changed of a lost future'), 'the change')
    expect((await home.cli(['restore', 'copy.db', '--stop'], { env })).code).toBe(0)
    expect(await hub.exited).toBe(0)
    const heard = events.length
    await using next = await runHub(home, { env })
    await waitFor(() => events.slice(heard).includes('snapshot working on api'), 'the snapshot after it')
    const again = readAs(seat, next)
    await again.peers.setSummary.mutate({ summary: 'of the present' })
    await waitFor(() => events.includes('changed of the present'), 'the change after it')
    await socket.close()
  })

  test('on another machine serves the sessions and tokens of all the others', async () => {
    await using studio = await createHome({ host: 'studio' })
    const hub = await runHub(studio)
    const { token } = await stockClient(hub).machines.invite.mutate({ label: 'desktop' })
    const machine = { id: 'machine-desktop', host: 'desktop' }
    const desktop = { url: hub.url, headers: { authorization: `Bearer ${token}` } }
    await stockClient(desktop).machines.join.mutate({ machine })
    const far = await takeSeat(desktop, 'far', { machine })
    const local = await joinAs(studio, 'near')
    await local.send('far@desktop', 'across the failure')
    const path = await backUp(studio)
    await local[Symbol.asyncDispose]()
    hub.kill('SIGKILL')
    await hub.exited

    await using standby = await createHome({ host: 'standby' })
    const restored = await standby.cli(['restore', path])
    expect(restored).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /No session of this machine has a seat in it[^]*are valid, as they were in the backup: desktop\. Revoke/,
      ),
    })
    await using next = await runHub(standby)
    const again = readAs(far, { url: next.url, token })
    const offer = await again.mailbox.consume.mutate({ budget: 10_000 })
    expect(offer.messages).toMatchObject([{ text: 'across the failure', from: 'near@studio', again: true }])
    const { peers } = await stockClient(next).peers.list.query({ scope: 'network' })
    // Seats of the machine that the hub ran on are those of any other machine now.
    expect(peers.map((peer) => peer.address).toSorted()).toEqual([
      'far@desktop',
      'near@studio',
      'user@studio',
    ])
    const { machines } = await stockClient(next).machines.list.query()
    expect(machines).toContainEqual(expect.objectContaining({ label: 'desktop', state: 'joined' }))
  })
})

async function keepSending({ url }: HubProcess, { headers }: Seat, isDone: () => boolean) {
  const { messages } = stockClient({ url, headers })
  const failures: string[] = []
  let sent = 0
  // No more than one peer may send another in a minute.
  for (; !isDone() && failures.length === 0 && sent < 50; sent++) {
    await messages.send
      .mutate(draft('api', `meanwhile ${sent}`))
      .catch((cause: Error) => failures.push(cause.message))
  }
  return { sent, failures }
}

/** A port that a hub has before and after. */
async function freePort(): Promise<string> {
  await using blocked = await blockPort()
  return String(blocked.port)
}

/** What a later version would write: its migration is in the table, and unknown here. */
function makeNewer(home: Home, path: string): string {
  const file = join(home.path, 'newer.db')
  writeFileSync(file, readFileSync(path))
  using sqlite = openPlain(file)
  sqlite
    .prepare('insert into __drizzle_migrations (hash, created_at) values (?, ?)')
    .run('of the future', Date.UTC(2099, 0, 1))
  return file
}

function spoil(path: string): string {
  writeFileSync(path, readFileSync(path).fill(0x5a, 4_096 * 4))
  chmodSync(path, 0o600)
  return path
}

function letter(home: Home): string {
  const path = join(home.path, 'letter.txt')
  writeFileSync(path, 'Dear hub, I hope that this finds you well.')
  return path
}
