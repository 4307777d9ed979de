/** What waits in a mailbox, as far as the choice of an offer hangs on it. */
export type Waiting = {
  messageId: number
  senderId: string
  state: 'queued' | 'offered'
  leaseUntil: number | null
  chars: number
  urgency: 'normal' | 'fyi'
}

export type ChoiceOptions = {
  /** How many characters of bodies the caller can show, with `overhead` more spent on each message. */
  budget: number
  overhead: number
  /** Takes nothing while only `fyi` mail waits. */
  skipIfOnlyFyi?: boolean
}

/**
 * What a consume does: `over` is on offer to somebody whose time is up, and waits again; of that and all else that waits,
 * `chosen` fits, in the order of its turns; `remaining` are still queued then.
 */
export type Choice = { over: Waiting[]; chosen: Waiting[]; remaining: number }

/**
 * Chooses the oldest mail that fits. Senders take turns, so that a chatty one cannot hide another's mail; a sender with an
 * offer still open waits, so that its messages stay in order. The first message always fits: the caller shows its head.
 */
export function chooseMail(waiting: Waiting[], now: number, options: ChoiceOptions): Choice {
  const isOpen = (one: Waiting) => one.state === 'offered' && one.leaseUntil! > now
  const heldBack = new Set(waiting.filter(isOpen).map((one) => one.senderId))
  const queued = waiting
    .filter((one) => !isOpen(one))
    .toSorted((one, other) => one.messageId - other.messageId)
  const free = queued.filter((one) => !heldBack.has(one.senderId))
  const chosen =
    options.skipIfOnlyFyi && free.every((one) => one.urgency === 'fyi')
      ? []
      : fitBudget(takeTurns(free), options)
  const over = queued.filter((one) => one.state === 'offered')
  return { over, chosen, remaining: queued.length - chosen.length }
}

/** The first message of each sender by age, then the second of each, and so on. */
function takeTurns(queued: Waiting[]): Waiting[] {
  const senders = Map.groupBy(queued, (one) => one.senderId)
  if (senders.size === 1) return queued
  const turns = new Map(
    [...senders.values()].flatMap((mail) => mail.map((one, turn) => [one, turn] as const)),
  )
  return queued.toSorted((one, other) => turns.get(one)! - turns.get(other)!)
}

function fitBudget(candidates: Waiting[], { budget, overhead }: ChoiceOptions): Waiting[] {
  const full = new Set<string>()
  const chosen: Waiting[] = []
  let left = budget
  for (const one of candidates) {
    const cost = one.chars + overhead
    if (full.has(one.senderId) || (cost > left && chosen.length > 0)) {
      full.add(one.senderId)
      continue
    }
    chosen.push(one)
    left -= cost
  }
  return chosen
}
