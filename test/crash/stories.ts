/** What senders, readers and hubs do while one of them is killed; each story ends with everything read. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Seat } from '../harness/hub.ts'
import { createLedger, toText, type Ledger, type Verdict } from './ledger.ts'
import type { HookEnd, Office, Victim } from './office.ts'

/** Longer than a lease of 30 seconds. */
export const LEASE_OVER_MS = 31_000

export type Ending = { verdict: Verdict; killedAt: string | undefined; integrity: string[]; outcome: string }

/** Starts a hub again whenever one has ended, the first with a rule; looks at the database in between. */
export async function superviseHub(office: Office, rule: string | undefined) {
  const first = await office.serve(rule === undefined ? {} : { rule })
  const integrity: string[] = []
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
  return {
    killedAt: () => first.killedAt(),
    integrity,
    /** Asks the hub that runs to end, and waits until another serves. */
    async restart() {
      const { pid } = current
      current.kill('SIGTERM')
      while (current.pid === pid || !(await office.isServing(current.pid))) await pause(10)
    },
    async end() {
      over = true
      current.kill('SIGTERM')
      await watching
    },
  }
}

/** Sends as a client does: the same text with the same key until it is answered. */
export async function send(
  ledger: Ledger,
  seat: Seat,
  { from, to, number, signal }: { from: string; to: string; number: number; signal?: AbortSignal },
): Promise<void> {
  const message = toText(from, to, number)
  const deadline = Date.now() + 30_000
  for (;;) {
    try {
      const input = { to, message, idempotencyKey: `key-of-${message}` }
      return ledger.answer(message, (await seat.client.messages.send.mutate(input)).messageId)
    } catch (cause) {
      if (signal?.aborted) return
      if (Date.now() > deadline) throw cause
      await pause(20)
    }
  }
}

/** Reads until nothing is left, once every lease is over. */
export async function drain(office: Office, ledger: Ledger, read: () => Promise<HookEnd>): Promise<void> {
  office.clock.advance(LEASE_OVER_MS)
  for (let empty = 0; empty < 2;) {
    const found = ledger.show((await read()).context)
    empty = found.length === 0 ? empty + 1 : 0
  }
}

/** A sender, a hub and a hook, of which one is killed. */
export async function tellMail(
  office: Office,
  { hub: hubRule, hook: hookRule }: { hub?: string; hook?: string },
): Promise<Ending> {
  const ledger = createLedger()
  const hub = await superviseHub(office, hubRule)
  const web = await office.takeSeat('web')
  const read = await office.seatHooks(await office.takeSeat('api'))
  const say = (number: number) => send(ledger, web, { from: 'web', to: 'api', number })
  await say(1)
  await say(2)
  const end = await read(hookRule)
  const seen = ledger.show(end.context).length
  await say(3)
  if (hookRule === undefined) await hub.restart()
  await say(4)
  await drain(office, ledger, () => read())
  await hub.end()
  const verdict = ledger.judge()
  const printed = end.signal === null ? '' : `it had printed ${seen} whole; `
  return {
    verdict,
    killedAt: hubRule === undefined ? end.killedAt : hub.killedAt(),
    integrity: hub.integrity,
    outcome: `${printed}${verdict.again} of ${verdict.answered} came marked as a possible repeat`,
  }
}
