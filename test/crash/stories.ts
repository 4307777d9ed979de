/** What senders, readers and hubs do while one of them is killed; each story ends with everything read. */
import { setTimeout as pause } from 'node:timers/promises'
import { stockClient, type Seat } from '../harness/hub.ts'
import { waitFor } from '../harness/wait.ts'
import { createLedger, toText, type Ledger, type Verdict } from './ledger.ts'
import type { Office, Victim } from './office.ts'

/** Longer than a lease of 30 seconds. */
export const LEASE_OVER_MS = 31_000

export type Ending = { verdict: Verdict; killedAt: string | undefined; integrity: string[]; outcome: string }

/** A hub that is started again whenever it has ended. */
export type Supervised = AsyncDisposable & {
  /** Where the shim killed the first one. */
  killedAt(): string | undefined
  /** What every look at the database said, one after each end of a hub. */
  integrity: string[]
  isServing(): Promise<boolean>
  /** Asks the hub that runs to end, and waits until another serves. */
  restart(): Promise<void>
  /** Ends it for good. */
  end(): Promise<void>
}

/** Starts a hub, the first with a rule, and looks at the database whenever one has ended. */
export async function superviseHub(office: Office, rule?: string): Promise<Supervised> {
  const integrity: string[] = []
  const first = await office.serve(rule === undefined ? {} : { rule })
  let current: Victim = first
  let over = false
  const watching = watch()

  async function watch() {
    for (;;) {
      await current.exited
      integrity.push(office.inspect())
      if (over) return
      current = await office.serve()
    }
  }
  async function end() {
    over = true
    current.kill('SIGTERM')
    await watching
  }
  return {
    killedAt: () => first.killedAt(),
    integrity,
    isServing: () => office.isServing(current.pid),
    async restart() {
      const { pid } = current
      current.kill('SIGTERM')
      await waitFor(
        async () => current.pid !== pid && (await office.isServing(current.pid)),
        'the next hub',
        20_000,
      )
    },
    end,
    [Symbol.asyncDispose]: end,
  }
}

/** How long a hub may be away on a busy machine. */
const PATIENCE_MS = 60_000

/** Sends as a client does: the same text with the same key until it is answered, or `signal` aborts. */
export async function send(
  ledger: Ledger,
  seat: Seat,
  {
    from,
    to,
    number,
    signal = AbortSignal.timeout(PATIENCE_MS),
  }: { from: string; to: string; number: number; signal?: AbortSignal },
): Promise<void> {
  const message = toText(from, to, number)
  const input = { to, message, idempotencyKey: `key-of-${message}` }
  for (;;) {
    try {
      return ledger.answer(message, (await seat.client.messages.send.mutate(input)).messageId)
    } catch (cause) {
      if (signal.aborted) throw cause
      await pause(20)
    }
  }
}

/**
 * Reads until nothing is left, once every lease is over. A hook that runs out of its time says nothing either, so two empty
 * answers are believed only when the hub holds nothing that waits; what it holds for other readers takes some more of them.
 */
export async function drain(office: Office, ledger: Ledger, read: () => Promise<string>): Promise<void> {
  office.clock.advance(LEASE_OVER_MS)
  for (let empty = 0; empty < 2 || (empty < MOST_EMPTY && (await countWaiting(office)) > 0);) {
    const found = ledger.show(await read())
    empty = found.length === 0 ? empty + 1 : 0
  }
}

const MOST_EMPTY = 8

/** How much waits at the hub, for any reader; something where it does not answer. */
async function countWaiting({ url, headers }: Office): Promise<number> {
  const asked = stockClient({ url, headers: await headers() }).hub.stats.query()
  return asked.then(
    ({ deliveries }) => deliveries.queued + deliveries.offered,
    () => 1,
  )
}

/** A sender, a hub and a hook, of which one is killed. */
export async function tellMail(
  office: Office,
  { hub: hubRule, hook: hookRule }: { hub?: string; hook?: string },
): Promise<Ending> {
  const ledger = createLedger()
  await using hub = await superviseHub(office, hubRule)
  const web = await office.takeSeat('web')
  const read = await office.seatHooks(await office.takeSeat('api'))
  const say = (number: number) => send(ledger, web, { from: 'web', to: 'api', number })
  await say(1)
  await say(2)
  const hook = await read(hookRule)
  const seen = ledger.show(hook.context).length
  await say(3)
  if (hookRule === undefined) await hub.restart()
  await say(4)
  await drain(office, ledger, async () => (await read()).context)
  await hub.end()
  const printed = hook.signal === null ? '' : `it had printed ${seen} whole; `
  return toEnding(ledger, {
    killedAt: hubRule === undefined ? hook.killedAt : hub.killedAt(),
    integrity: hub.integrity,
    outcome: printed,
  })
}

/** What the onlooker says at the end of a story. */
export function toEnding(ledger: Ledger, { outcome, ...rest }: Omit<Ending, 'verdict'>): Ending {
  const verdict = ledger.judge()
  const marked = `${verdict.again} came marked as a possible repeat`
  return { ...rest, verdict, outcome: outcome + marked }
}
