/**
 * What this session sends. To a hub of this machine it goes at once, or fails. Where the hub is on another machine and
 * does not answer, it is kept in the spool of this machine under the key of the attempt that failed, and sent later:
 * what the attempt may have stored is stored once. Sends are decided in the order in which they were asked for, each
 * within its deadline, so that what is kept stands in that order, too.
 */
import { createDrain, expire, type Drained } from '#client/drain'
import { NoAnswerError } from '#client/no-answer'
import { LONGEST_RETRY_MS, toRetryDelay } from '#client/retry-delay'
import { createSpeakers, type Self } from '#client/speakers'
import { judge } from '#client/verdict'
import type { Config } from '#machine/config'
import { locateHub } from '#machine/hub-process'
import { ownIdentity } from '#machine/processes'
import { isSameSender, type Entry, type Named, type Sender, type Spool } from '#machine/spool'
import type { SendInput, Sent } from '#router/shapes/messages'
import { startDeadline, type Deadline } from './deadline.ts'
import type { Link } from './link.ts'
import { asSeated } from './tools/seated.ts'

/** `isBehind`: the hub is there, and has yet to take what this session wrote before. */
export type Kept = { kept: Named<Entry>; isBehind: boolean }

export type Outbox = {
  /** Sends a message, or keeps it. Rejects when the hub refuses it, and when it can be neither sent nor kept. */
  send(input: SendInput): Promise<Sent | Kept>
  /** Sends what waits, now and again until nothing does; asked for when the hub is there (again). */
  wake(): void
  /** What of this session waits, oldest first. */
  waiting(): Promise<Named<Entry>[]>
  /** What this session must be told: each is told until `told` is called. */
  news(): Promise<News>
  close(): void
}

/** What has become of messages that were kept. `told` says that the session knows now. */
export type News = { sent: Delivered[]; refused: ReturnType<Spool['refused']>; told(): void }
export type Delivered = { entry: Named<Entry>; messageId: number }

export type OutboxOptions = {
  link: Link
  spool: Spool
  deadline?: () => Deadline
}

/** Makes the outbox of a session; it works only while a remote hub is configured. */
export function createOutbox({ link, spool, deadline = startDeadline }: OutboxOptions): Outbox {
  const own = ownIdentity()
  let last: Promise<unknown> = Promise.resolve()
  let sender: Sender | undefined
  let drains: { hub: string; drain: () => Promise<Drained> } | undefined
  let delivered: Delivered[] = []
  let timer: NodeJS.Timeout | undefined
  let failures = 0
  let closed = false

  const sendNow = (input: SendInput) => asSeated(link, () => link.hub.messages.send.mutate(input))

  async function send(input: SendInput): Promise<Sent | Kept> {
    const config = link.remote()
    if (!config) return sendNow(input)
    const limit = deadline()
    const previous = last
    const turn = Promise.withResolvers<void>()
    last = turn.promise
    try {
      const isTurn = await limit.within(previous)
      if (!isTurn) return await keep(config, input)
      const before = await sendEarlier(config, limit)
      if (before !== 'done') return await keep(config, input, { isBehind: before === 'later' })
      return await attempt(config, { input, limit })
    } finally {
      turn.resolve()
    }
  }

  /**
   * Sends what waits of this session, which has to go first. `done`: nothing waits any more. Rejects where the hub does
   * not let this machine in: to keep more would promise what nobody can hold.
   */
  async function sendEarlier(config: Config, limit: Deadline): Promise<Exclude<Drained, 'shut'>> {
    const isWaiting = async () => (await waiting()).some(({ hub }) => hub === config.brokerUrl)
    if (!(await isWaiting())) return 'done'
    const drained = await limit.within(drainTo(config)())
    if (drained?.value === 'shut') await limit.within(link.renew())
    if (!(await isWaiting())) return 'done'
    return drained === undefined || drained.value === 'away' ? 'away' : 'later'
  }

  async function attempt(config: Config, { input, limit }: { input: SendInput; limit: Deadline }) {
    const sending = sendNow(input)
    try {
      const sent = await limit.within(sending)
      if (sent) return sent.value
    } catch (cause) {
      if (judge(cause) !== 'away') throw cause
      return keepTried(config, input, cause)
    }
    const { kept, isBehind } = await keepTried(config, input, new NoAnswerError('no answer in time'))
    sending.then(
      ({ messageId }) => settle(kept, messageId),
      () => undefined,
    )
    return { kept, isBehind }
  }

  /** Where it cannot be kept, it stays a call whose outcome is not known. */
  async function keepTried(config: Config, input: SendInput, cause: unknown): Promise<Kept> {
    try {
      return await keep(config, input)
    } catch (trouble) {
      throw Object.assign(trouble as Error, { cause })
    }
  }

  async function keep(config: Config, input: SendInput, { isBehind } = { isBehind: false }): Promise<Kept> {
    sender = await link.sender()
    const kept = spool.add({ hub: config.brokerUrl, sender, input, by: own })
    schedule()
    return { kept, isBehind }
  }

  /** The attempt that came too late for its answer, or a drain, has brought it there. */
  function settle(entry: Named<Entry>, messageId: number) {
    spool.remove(entry.name)
    if (delivered.some((one) => one.entry.name === entry.name)) return
    if (sender && isSameSender(sender, entry.sender)) delivered.push({ entry, messageId })
  }

  function drainTo(config: Config): () => Promise<Drained> {
    const hub = config.brokerUrl
    if (drains?.hub === hub) return drains.drain
    const locate = locateHub(config)
    const self = (): Self | undefined => sender && { sender, send: sendNow }
    const drain = createDrain({
      spool,
      hub,
      speakerOf: createSpeakers({ config, locate: () => locate({ fresh: false }), self }),
      onSent: (entry, { messageId }) => settle(entry, messageId),
    })
    drains = {
      hub,
      async drain() {
        sender = await link.sender()
        return drain()
      },
    }
    return drains.drain
  }

  function schedule() {
    clearTimeout(timer)
    if (closed) return
    timer = setTimeout(() => void run(), toRetryDelay(++failures, LONGEST_RETRY_MS.remote)).unref()
  }

  async function run(): Promise<void> {
    const config = link.remote()
    if (!config || closed || spool.list().length === 0) return
    const outcome = await drainTo(config)().catch(() => 'later' as const)
    if (outcome !== 'done') return schedule()
    failures = 0
  }

  async function waiting(): Promise<Named<Entry>[]> {
    const entries = spool.list()
    if (entries.length === 0) return []
    const own = await link.sender()
    return entries.filter((entry) => isSameSender(own, entry.sender))
  }

  return {
    send,
    wake() {
      failures = 0
      clearTimeout(timer)
      void run().catch(() => undefined)
    },
    waiting,
    async news() {
      const sent = delivered
      // Also where this machine has another hub now, and nobody drains to the one before.
      expire(spool)
      const all = spool.refused()
      const own = all.length === 0 ? undefined : await link.sender()
      const refused = all.filter((one) => own && isSameSender(own, one.sender))
      const told = () => {
        delivered = delivered.filter((one) => !sent.includes(one))
        for (const { name } of refused) spool.forget(name)
      }
      return { sent, refused, told }
    },
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}
