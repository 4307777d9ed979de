/** What it costs that a send is safe on disk when it is answered, through the whole hub. */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PACKAGE_ROOT } from '../lib/machine/package.ts'
import { startBenchHub } from './hub-process.ts'
import { newDraft, newText, openPool, sendMail, spread, takeSeats, type HubPlace } from './load.ts'
import { interleave, timed } from './measure.ts'
import { amount } from './options.ts'
import { openPlain } from './peers/plain.ts'
import { openSocket } from './socket.ts'
import { toRateRow, type Row } from './table.ts'

const ROUNDS = amount(15, 2)
const CLIENTS = 64
const CALLS = amount(1_280, 128)
/** More pairs than the limit of 60 messages a minute between two lets through in this time. */
const RECIPIENTS = 512

const script = join(PACKAGE_ROOT, 'apps/hub/main.ts')
const withoutGroups = join(import.meta.dirname, 'baseline/without-groups.ts')

export async function benchDurable(): Promise<Row[]> {
  // As it is installed.
  await using built = await startBenchHub()
  // Both run from the sources, so that they differ in nothing but the queue.
  await using full = await startBenchHub({ script })
  await using normal = await startBenchHub({ script, nodeArgs: ['--import', withoutGroups] })
  await using builtSenders = await openSenders(built)
  await using builtSockets = await openSenders(built, { sockets: true })
  await using fullSenders = await openSenders(full)
  await using normalSenders = await openSenders(normal)
  await using plain = await openPlain(1)
  const disk = await openDisk()
  const samples = await interleave(
    {
      full64: () => fullSenders.send(CLIENTS),
      normal64: () => normalSenders.send(CLIENTS),
      sockets1: () => builtSockets.send(1),
      http1: () => builtSenders.send(1),
      plain1: () => spread(1, CALLS, () => plain.send(0, newText())),
      disk: () => disk.sync(CALLS),
    },
    ROUNDS,
  )
  await disk.close()
  return [
    toRateRow({
      measure: `durable send (FULL, grouped), ${CLIENTS} clients, against NORMAL without grouping`,
      subject: samples.full64,
      baseline: samples.normal64,
      count: CALLS,
      target: { least: 1 },
    }),
    toRateRow({
      ...toOneClient(''),
      subject: samples.sockets1,
      baseline: samples.disk,
      target: { least: 0.35 },
    }),
    toRateRow({
      ...toOneClient(', over HTTP instead of a WebSocket'),
      subject: samples.http1,
      baseline: samples.disk,
    }),
    toRateRow({
      ...toOneClient(', the least hub of these parts instead'),
      subject: samples.plain1,
      baseline: samples.disk,
    }),
  ]
}

const toOneClient = (how: string) => ({
  measure: `durable send, 1 client, end to end, against the disk's fdatasync of 4 KiB${how}`,
  count: CALLS,
})

/** Many senders in turn; over HTTP they share connections, while a WebSocket speaks for one. */
async function openSenders(hub: HubPlace, { sockets = false } = {}) {
  await using stack = new AsyncDisposableStack()
  const pool = stack.use(openPool(hub, CLIENTS))
  const prefix = sockets ? 'socket' : 'http'
  const seats = await takeSeats(pool, CLIENTS, `${prefix}-sender`)
  const recipients = await takeSeats(pool, RECIPIENTS, `${prefix}-recipient`)
  const senders: ((to: string) => Promise<unknown>)[] = []
  for (const seat of seats) {
    const socket = sockets ? stack.use(await openSocket(hub, seat.key)) : undefined
    senders.push((to) => (socket ? socket.call('messages.send', newDraft(to)) : sendMail(pool, seat, to)))
  }
  const opened = stack.move()
  let turn = 0
  return {
    send: (clients: number) =>
      spread(clients, CALLS, () => {
        const pair = turn++
        return senders[pair % CLIENTS]!(recipients[Math.floor(pair / CLIENTS) % RECIPIENTS]!.id)
      }),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** The disk below the hubs' databases, written to as SQLite's log is: in a file whose size stays. */
async function openDisk() {
  const directory = await mkdtemp(join(tmpdir(), 'claude-peers-bench-'))
  const fd = openSync(join(directory, 'disk'), 'w')
  const page = Buffer.alloc(4_096, 'x')
  const PAGES = 1_000
  for (let number = 0; number < PAGES; number++) writeSync(fd, page, 0, page.length, number * page.length)
  let turn = 0
  return {
    sync: (count: number) =>
      timed(() => {
        for (let number = 0; number < count; number++) {
          writeSync(fd, page, 0, page.length, (turn++ % PAGES) * page.length)
          fdatasyncSync(fd)
        }
      }),
    async close() {
      closeSync(fd)
      await rm(directory, { recursive: true, force: true })
    },
  }
}
