import { createFacts } from './transcript-facts.ts'
import { createTail } from './transcript-tail.ts'

/** One transcript as far as it was read, and what it proves about mail. Times are ms since the epoch. */
export type Conversation = {
  path: string
  /** Reads on to the end of the file as it is now. Rejects when it cannot be read. */
  read(): Promise<void>
  /** Since when the message stands there; `undefined` when it does not. */
  shownAt(id: number): number | undefined
  /** Since when the message stood there that the model answered to; likewise for one that the conversation dropped. */
  readAt(id: number): number | undefined
  droppedAt(id: number): number | undefined
  /** Whether what a hook gave at that time must be shown by now; `unseen`: no request can have held it. */
  passedAfter(at: number): { unseen: boolean } | undefined
  /** When the first and the last entry were written that were read. */
  span(): { first: number; last: number } | undefined
}

const MAX_MESSAGES = 1_000
const MAX_MOMENTS = 200

/** Opens a transcript for reading; nothing is read yet, and a file that is not there has nothing. */
export function openConversation(path: string, toolPrefix: string): Conversation {
  const tail = createTail(path)
  const facts = createFacts(toolPrefix)
  const known = {
    shown: new Map<number, number>(),
    read: new Map<number, number>(),
    dropped: new Map<number, number>(),
  }
  const passed: { at: number; first: number; unseen: boolean }[] = []

  function take(line: string) {
    for (const fact of facts.read(line)) {
      if (fact.kind === 'passed') {
        passed.push({ ...fact, first: facts.span()!.first })
        if (passed.length > MAX_MOMENTS) passed.shift()
      } else {
        const times = known[fact.kind]
        times.delete(fact.id)
        times.set(fact.id, fact.at)
        if (times.size > MAX_MESSAGES) times.delete(times.keys().next().value!)
      }
    }
  }

  return {
    path,
    read: async () => void (await tail.read(take, facts.skip)),
    shownAt: (id) => known.shown.get(id),
    readAt: (id) => known.read.get(id),
    droppedAt: (id) => known.dropped.get(id),
    // Only where all was read since then: what was passed over may have shown it.
    passedAfter: (at) => passed.find((moment) => moment.first <= at && moment.at > at),
    span: facts.span,
  }
}
