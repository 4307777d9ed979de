/** What the hub adds to its own statements, and how its reads grow with what is stored. */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { requestJson } from '../lib/client/request.ts'
import type { Database } from '../lib/db/open.ts'
import { addMessages, addPeers, openBenchDatabase } from './database.ts'
import type { TestPeer } from '../test/harness/peer.ts'
import { startBenchHub } from './hub-process.ts'
import { interleave, timed } from './measure.ts'
import { toRow, type Row } from './table.ts'

const ROUNDS = 15
const CALLS = 640
const CLIENTS = 64

export async function benchHub(): Promise<Row[]> {
  return [...(await benchCalls()), ...(await benchGrowth())]
}

/** Calls over HTTP against the same operations in this process, on a file of its own. */
async function benchCalls(): Promise<Row[]> {
  const directory = await mkdtemp(join(tmpdir(), 'claude-peers-bench-'))
  const database = openBenchDatabase(join(directory, 'direct.db'))
  const own = await addPeers(database, 300)
  await using hub = await startBenchHub()
  const senders: TestPeer[] = []
  for (let number = 0; number < CLIENTS; number++) senders.push(await hub.join(`/bench/sender-${number}`))
  const recipients: string[] = []
  for (let number = 0; number < 236; number++)
    recipients.push((await hub.join(`/bench/recipient-${number}`)).id)
  using pool = openPool(hub)
  let turn = 0

  const direct = (clients: number) => ({
    empty: () => spread(clients, async () => void database.mailbox.hasMail(own[turn++ % own.length]!)),
    send: () => spread(clients, () => sendDirect(database, own, turn++)),
  })
  const called = (clients: number) => ({
    empty: () =>
      spread(clients, (client) => pool.call(senders[client]!, 'mailbox.consume', { budget: 8_000 })),
    send: () =>
      spread(clients, (client) =>
        pool.call(senders[client]!, 'messages.send', {
          to: recipients[turn++ % recipients.length],
          message: newText(),
          idempotencyKey: randomUUID(),
        }),
      ),
  })
  const samples = await interleave(
    {
      empty1: called(1).empty,
      emptyDirect: direct(1).empty,
      empty64: called(CLIENTS).empty,
      send1: called(1).send,
      sendDirect1: direct(1).send,
      send64: called(CLIENTS).send,
      sendDirect64: direct(CLIENTS).send,
    },
    ROUNDS,
  )
  database.close()
  await rm(directory, { recursive: true, force: true })
  const unit = `ms for ${CALLS}`
  return [
    toRow({
      measure: 'consume-empty, 1 client, against the statement in process',
      subject: samples.empty1,
      baseline: samples.emptyDirect,
      unit,
    }),
    toRow({
      measure: 'consume-empty, 64 clients, against the statement in process',
      subject: samples.empty64,
      baseline: samples.emptyDirect,
      unit,
    }),
    toRow({
      measure: 'durable send, 1 client, against the same in process',
      subject: samples.send1,
      baseline: samples.sendDirect1,
      unit,
    }),
    toRow({
      measure: 'durable send, 64 clients, against the same in process',
      subject: samples.send64,
      baseline: samples.sendDirect64,
      unit,
    }),
  ]
}

/** Reads in process with many messages against few. */
async function benchGrowth(): Promise<Row[]> {
  const directory = await mkdtemp(join(tmpdir(), 'claude-peers-bench-'))
  const open = async (name: string, messages: number, peers: number) => {
    const database = openBenchDatabase(join(directory, `${name}.db`))
    const ids = await addPeers(database, peers)
    await addMessages(database, ids, { peers, messages, state: 'delivered' })
    return { database, ids }
  }
  const few = await open('few', 1_000, 1_000)
  const many = await open('many', 100_000, 1_000)
  const waiting = await open('waiting', 0, 1_000)
  await addMessages(waiting.database, waiting.ids, { peers: 1_000, messages: 100_000, state: 'queued' })
  const consume = ({ database, ids }: typeof few) =>
    timed(() => {
      for (let number = 0; number < 20_000; number++) database.mailbox.hasMail(ids[number % ids.length]!)
    })
  const list = ({ database }: typeof few) =>
    timed(() => {
      if (database.peers.list(0).length !== 1_000) throw new Error('not every peer was listed')
    })
  const samples = await interleave(
    {
      fewEmpty: () => consume(few),
      manyEmpty: () => consume(many),
      listDelivered: () => list(many),
      listWaiting: () => list(waiting),
    },
    ROUNDS,
  )
  for (const { database } of [few, many, waiting]) database.close()
  await rm(directory, { recursive: true, force: true })
  const bound = [10]
  return [
    toRow({
      measure: 'consume-empty with 100,000 stored messages, against 1,000',
      subject: samples.manyEmpty,
      baseline: samples.fewEmpty,
      target: { most: 1.2 },
      unit: 'ms for 20,000',
    }),
    toRow({
      measure: 'list of 1,000 peers, 100,000 messages delivered, against 10 ms',
      subject: samples.listDelivered,
      baseline: bound,
      target: { most: 1 },
    }),
    toRow({
      measure: 'list of 1,000 peers, 100,000 messages waiting, against 10 ms',
      subject: samples.listWaiting,
      baseline: bound,
      target: { most: 1 },
    }),
  ]
}

/** The time of CALLS calls, made by so many clients at once. */
function spread(clients: number, call: (client: number) => Promise<unknown>): Promise<number> {
  return timed(() =>
    Promise.all(
      Array.from({ length: clients }, async (_, client) => {
        for (let number = 0; number < CALLS / clients; number++) await call(client)
      }),
    ),
  )
}

/** 300 characters that were not said before: a repetition would be refused. */
const newText = () => randomUUID().padEnd(300, 'x')

async function sendDirect(database: Database, ids: string[], turn: number): Promise<void> {
  const sender = ids[turn % CLIENTS]!
  const recipient = ids[CLIENTS + (turn % (ids.length - CLIENTS))]!
  const outcome = await database.queue.run(() =>
    database.messages.send({
      senderId: sender,
      recipientIds: [recipient],
      idempotencyKey: randomUUID(),
      body: newText(),
      urgency: 'normal',
    }),
  )
  if (outcome.kind !== 'sent') throw new Error(`not sent: ${outcome.kind}`)
}

function openPool(hub: { url: string; token: string }) {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS })
  return {
    async call(peer: TestPeer, path: string, body: object) {
      const headers = { authorization: `Bearer ${hub.token}`, 'x-claude-peers-key': peer.key }
      const answer = await requestJson({
        method: 'POST',
        url: `${hub.url}/trpc/${path}`,
        headers,
        body,
        timeoutMs: 10_000,
        agent,
      })
      if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    },
    [Symbol.dispose]: () => agent.destroy(),
  }
}
