import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, inject, test } from 'vitest'
import { writePredecessor } from '../db/predecessor.ts'
import { spawnHub, takeSeat, type Seat } from '../harness/hub.ts'
import { createHome, type Home } from '../harness/home.ts'
import { waitFor } from '../harness/wait.ts'
import { createChance } from './chance.ts'
import { createDisk, type Disk } from './disk.ts'
import { readDiskLog, type DiskEvent } from './disk-log.ts'
import { cutEverywhere, type PowerCuts } from './power.ts'
import { report } from './report.ts'
import { loadShim } from './shim.ts'

type Recorded = AsyncDisposable & {
  home: Home
  directory: string
  file: string
  /** Serves while `use` runs, records it, and ends in an orderly way. */
  serve(use: (seats: { web: Seat; api: Seat }) => Promise<void>): Promise<void>
  events(): DiskEvent[]
  /** Another id would leave the mail of this machine's sessions to nobody. */
  machineId(): { path: string; content: string }
}

/** A home of which every change is recorded, but for what lies in its directories. */
async function openRecorded(): Promise<Recorded> {
  const { shim } = inject('crash')
  const home = await createHome()
  const directory = home.path
  const file = join(directory, '.claude-peers.db')
  const log = join(directory, 'disk.log')
  const isInside = (event: DiskEvent) =>
    event.kind === 'answer' || event.name === directory || dirname(event.name) === directory
  return {
    home,
    directory,
    file,
    events: () => readDiskLog(log).filter(isInside),
    machineId() {
      const path = join(directory, '.claude-peers.machine-id')
      return { path, content: readFileSync(path, 'utf8') }
    },
    async serve(use) {
      const hub = spawnHub(home, { env: loadShim(shim, { program: 'hub.js', record: { directory, log } }) })
      const isServing = () =>
        home.rendezvous().then(
          ({ pid }) => pid === hub.pid,
          () => false,
        )
      await waitFor(isServing, 'the hub to serve')
      const { url } = await home.rendezvous()
      const at = { url, headers: { authorization: `Bearer ${await home.token()}` } }
      await use({ web: await takeSeat(at, 'web'), api: await takeSeat(at, 'api') })
      hub.kill('SIGTERM')
      await hub.exited
    },
    [Symbol.asyncDispose]: () => home[Symbol.asyncDispose](),
  }
}

let sends = 0

/** Sends `count` messages at once, and reads and acknowledges what waits. */
async function exchange({ web, api }: { web: Seat; api: Seat }, count: number): Promise<void> {
  const send = () => {
    const number = ++sends
    const message = String(number).padEnd(2_000, 'x')
    return web.client.messages.send.mutate({ to: api.id, message, idempotencyKey: `power-cut-${number}` })
  }
  const sent = await Promise.all(Array.from({ length: count }, send))
  const { offerId } = await api.client.mailbox.consume.mutate({ budget: 5_000, overhead: 0 })
  if (offerId === null) return
  await api.client.mailbox.ack.mutate({ offerId })
  await web.client.messages.status.query({ messageId: sent[0]!.messageId })
}

function tell(at: string, { states, syncs, answers, broken }: PowerCuts) {
  const outcome = `${syncs} syncs and ${answers} answers, each with nothing, everything, names only, and random sectors kept of what was not synced`
  const lost = broken.length
  report(inject('crash'), {
    section: 'power',
    killed: 'hub',
    at,
    order: 0,
    times: states,
    answered: answers,
    lost,
    unmarked: 0,
    outcome,
  })
}

const limitOfAMinute = 60

test('after a power cut at any sync or answer, every message that was answered for is there', async () => {
  await using recorded = await openRecorded()
  const { directory, file } = recorded
  const toDisk = (trusts?: (name: string) => boolean): Disk => createDisk(directory, trusts)
  const disks = [toDisk(), toDisk((name) => !name.endsWith('-wal')), toDisk((name) => name !== directory)]
  const chance = createChance(inject('crash').seed)
  await recorded.serve(async (seats) => {
    for (let left = limitOfAMinute - 8; left > 0;) {
      const count = Math.min(left, chance.between(1, 3))
      await exchange(seats, count)
      left -= count
    }
  })
  await recorded.serve((seats) => exchange(seats, 5))

  const events = recorded.events()
  const isOf = (kind: DiskEvent['kind'], name: string) =>
    events.some((event) => event.kind === kind && 'name' in event && event.name === name)
  expect(isOf('sync', directory), 'the first start puts its file in place').toBe(true)
  expect(isOf('write', file), 'a checkpoint writes to the database').toBe(true)
  const cuts = cutEverywhere(events, { disk: disks[0]!, file, chance, needed: recorded.machineId() })
  expect(cuts.broken).toEqual([])
  expect(cuts.syncs).toBeGreaterThan(50)
  expect(cuts.answers, 'what the hub answered is recognised').toBeGreaterThan(50)
  tell('first start, sends, offers, acknowledgements, checkpoint, second start', cuts)

  // A disk that forgets what was synced loses mail here: these tests can fail.
  for (const disk of disks.slice(1)) {
    const { broken } = cutEverywhere(events, { disk, file, chance, untilBroken: true })
    expect(broken).not.toEqual([])
  }
})

test('after a power cut while a database of v2 is taken over, its mail is there', async () => {
  await using recorded = await openRecorded()
  const { directory, file } = recorded
  const peers = ['web', 'api'].map((id) => ({ id, cwd: `/src/${id}` }))
  const messages = Array.from({ length: 20 }, () => ({
    from_id: 'web',
    to_id: 'api',
    text: 'x'.repeat(1_000),
  }))
  writePredecessor(file, { version: 2, peers, messages })
  const disk = createDisk(directory)
  await recorded.serve((seats) => exchange(seats, 2))
  const promised = messages.map((_, index) => index + 1)
  const chance = createChance(inject('crash').seed)
  const cuts = cutEverywhere(recorded.events(), { disk, file, chance, promised })
  expect(cuts.broken).toEqual([])
  expect(cuts.answers).toBeGreaterThan(0)
  tell('a database of claude-peers v2 is taken over', cuts)
})
