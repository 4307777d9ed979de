/** The same exchange of mail with servers that others have made: all over connections that stay open. */
import { newText, inParallel } from './load.ts'
import { interleave, timed } from './measure.ts'
import { amount } from './options.ts'
import type { Mail } from './peers/mail.ts'
import { openNats } from './peers/nats.ts'
import { openOwn } from './peers/own.ts'
import { openPlain } from './peers/plain.ts'
import { openRedis } from './peers/redis.ts'
import { toMissingRow, toRateRow, type Row } from './table.ts'

const CLIENTS = 64
const ROUNDS = amount(11, 2)
const EXCHANGES = amount(1_280, 128)

const others = [
  { name: 'NATS JetStream in files', open: openNats, target: { least: 1 } },
  { name: 'Redis Streams, `appendfsync always`', open: openRedis, target: { least: 0.7 } },
]

export async function benchPeers(): Promise<Row[]> {
  await using stack = new AsyncDisposableStack()
  const own = stack.use(await openOwn(CLIENTS, { transport: 'socket' }))
  const overHttp = stack.use(await openOwn(CLIENTS))
  const plain = stack.use(await openPlain(CLIENTS))
  const opened = await Promise.all(
    others.map(async ({ open, ...rest }) => {
      const mail = await open(CLIENTS).catch((cause: Error) => cause)
      if (!(mail instanceof Error)) stack.use(mail)
      return { ...rest, mail }
    }),
  )
  const subjects: Record<string, () => Promise<number>> = {
    own: () => exchangeAll(own),
    overHttp: () => exchangeAll(overHttp),
    plain: () => exchangeAll(plain),
  }
  for (const { name, mail } of opened) {
    if (!(mail instanceof Error)) subjects[name] = () => exchangeAll(mail)
  }
  const samples = await interleave(subjects, ROUNDS)
  return opened.flatMap(({ name, mail, target }) => {
    const measure = `send + consume + ack, ${CLIENTS} clients, against ${name}`
    if (mail instanceof Error)
      return toMissingRow({ measure, reason: mail.message.replaceAll(/\s+/g, ' '), target })
    const toRow = (subject: string, how: string) => ({
      measure: `${measure} (${mail.version})${how}`,
      subject: samples[subject]!,
      baseline: samples[name]!,
      count: EXCHANGES,
    })
    return [
      toRateRow({ ...toRow('own', ''), target }),
      toRateRow(toRow('overHttp', ', over HTTP instead of WebSockets')),
      toRateRow(toRow('plain', ', the least hub of these parts instead')),
    ]
  })
}

/** Each client has a mailbox of its own. */
const exchangeAll = (mail: Mail): Promise<number> =>
  timed(() => inParallel(CLIENTS, EXCHANGES, (client) => mail.exchange(client, newText())))
