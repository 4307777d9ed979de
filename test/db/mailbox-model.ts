import { LEASE_MS, MAX_WAKES, MESSAGE_TTL_MS, REQUEUED_TTL_MS } from '../../lib/db/limits.ts'
import type { Requeue } from '../../lib/db/mailbox.ts'

type State = 'queued' | 'offered' | 'delivered' | 'read' | 'expired' | 'retracted'
type Copy = {
  id: number
  from: string
  to: string
  chars: number
  urgency: 'normal' | 'fyi'
  state: State
  attempts: number
  /** Offers since it last came to a new session: so often may it have woken that one. */
  wakes: number
  /** Taken back, maybe while a later one of the same pair was on offer. */
  back: boolean
  offerId: string | undefined
  leaseUntil: number
  expiresAt: number
}
type Message = { id: number; from: string; to: string[]; chars: number; urgency: 'normal' | 'fyi' }

export type Model = ReturnType<typeof createModel>

/** Mailboxes as plain lists: what design and documentation say, without a database. */
export function createModel(now: () => number) {
  const copies: Copy[] = []
  const of = (to: string, ...states: State[]) =>
    copies.filter((one) => one.to === to && states.includes(one.state))

  function requeue(over: Copy[]): number {
    const ended = over.filter((one) => one.state === 'offered' && one.leaseUntil <= now())
    for (const one of ended) one.state = 'queued'
    return ended.length
  }

  function choose(to: string, budget: number, skipIfOnlyFyi: boolean): Copy[] {
    const blocked = new Set(of(to, 'offered').map((one) => one.from))
    const free = of(to, 'queued').filter((one) => !blocked.has(one.from))
    if (skipIfOnlyFyi && free.every((one) => one.urgency === 'fyi')) return []
    const queues = [...Map.groupBy(free, (one) => one.from).values()]
    const chosen: Copy[] = []
    let left = budget
    for (let turn = 0; queues.some((queue) => turn < queue.length); turn++) {
      const heads = queues
        .filter((queue) => turn < queue.length)
        .toSorted((a, b) => a[turn]!.id - b[turn]!.id)
      for (const queue of heads) {
        const one = queue[turn]!
        if (one.chars <= left || chosen.length === 0) {
          chosen.push(one)
          left -= one.chars
        } else {
          queue.length = 0
        }
      }
    }
    return chosen.toSorted((a, b) => a.id - b.id)
  }

  return {
    send({ to, ...message }: Message) {
      for (const one of to) {
        copies.push({
          ...message,
          to: one,
          state: 'queued',
          attempts: 0,
          wakes: 0,
          back: false,
          offerId: undefined,
          leaseUntil: 0,
          expiresAt: now() + MESSAGE_TTL_MS,
        })
      }
    },
    consume(to: string, budget: number, skipIfOnlyFyi: boolean): Copy[] {
      requeue(of(to, 'offered'))
      const chosen = choose(to, budget, skipIfOnlyFyi)
      for (const one of chosen) {
        one.state = 'offered'
        one.attempts++
        one.wakes++
        one.back = false
        one.leaseUntil = now() + LEASE_MS
      }
      return chosen
    },
    /** Says which offer the database made of what was chosen. */
    name(chosen: Copy[], offerId: string) {
      for (const one of chosen) one.offerId = offerId
    },
    acknowledge(to: string, offerId: string): number {
      const settled = of(to, 'queued', 'offered').filter((one) => one.offerId === offerId)
      for (const one of settled) one.state = 'delivered'
      return settled.length
    },
    release(to: string, offerId: string): number {
      const given = of(to, 'offered').filter((one) => one.offerId === offerId)
      for (const one of given) {
        one.state = 'queued'
        one.offerId = undefined
      }
      return given.length
    },
    retract(id: number) {
      for (const one of copies) {
        if (one.id === id && one.state === 'queued' && one.attempts === 0) one.state = 'retracted'
      }
    },
    confirm(to: string, id: number): number {
      const seen = of(to, 'queued', 'offered', 'delivered').filter((one) => one.id === id && one.attempts > 0)
      for (const one of seen) one.state = 'read'
      return seen.length
    },
    requeue(to: string, id: number, why: Requeue): number {
      const back = of(to, 'delivered').filter((one) => one.id === id)
      for (const one of back) {
        one.state = 'queued'
        one.back = true
        one.offerId = undefined
        one.expiresAt = Math.max(one.expiresAt, now() + REQUEUED_TTL_MS)
        if (why === 'unseen') one.attempts--
        if (why === 'ended') one.wakes = 0
      }
      return back.length
    },
    urgent(to: string): number {
      const blocked = new Set(of(to, 'offered').map((one) => one.from))
      return of(to, 'queued').filter(
        (one) => one.urgency === 'normal' && one.wakes < MAX_WAKES && !blocked.has(one.from),
      ).length
    },
    sweep() {
      const requeued = requeue(copies)
      const over = copies.filter((one) => one.state === 'queued' && one.expiresAt <= now())
      for (const one of over) one.state = 'expired'
      return { requeued, expired: over.length }
    },
    count: (to: string, state: State) => of(to, state).length,
    rows: () => copies.map(({ id, to, state, attempts }) => ({ id, to, state, attempts })),
    /** Messages on offer although an older one of the same pair, which is not over, waits outside that offer. */
    brokenOrder() {
      return copies.filter(
        (one) =>
          one.state === 'offered' &&
          of(one.to, 'queued', 'offered').some(
            (older) =>
              older.from === one.from && !older.back && older.id < one.id && older.offerId !== one.offerId,
          ),
      )
    },
  }
}
