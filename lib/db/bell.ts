/**
 * Doorbells. A feed keeps no queue of what it tells: a writer rings the topic it changed, after its commit, and each
 * subscriber reads what is new to it when it is ready. A stalled subscriber therefore costs little.
 */

export type Bell = {
  /** Notes that a topic changed; `ring` tells the listeners. */
  note(topic: string): void
  /** Notes that a delivery changed: its sender's mailbox is told which, and the network that one did. */
  noteSent(change: SentChange): void
  /** Notes what is to be done at the next ring. */
  noteWork(work: () => void): void
  /** Where the notes stand now, for `takeBack`. */
  mark(): number
  /** Forgets what was noted since the mark: the write that noted it was rolled back. */
  takeBack(mark: number): void
  /** Wakes the listeners of every topic noted since the last ring. */
  ring(): void
  /** Calls `wake` at each ring of a topic, within the ring, until what it returns is called. It must not throw. */
  hear(topic: string, wake: Wake): () => void
  /** How many listen now. */
  count(): number
}

/** Which delivery changed, and the number of its change. */
export type MailChange = { messageId: number; recipientId: string; changedSeq: number }
type SentChange = MailChange & { senderId: string }

/** Told at a ring; of a mailbox, with all that changed since the last one of what its owner sent. */
type Wake = (sent: readonly MailChange[]) => void

export type Listener = Disposable & {
  /** Resolves at the next ring (at once if one is kept): true, or false at the end of the signal or listener. */
  rung(): Promise<boolean>
}

type Note = string | (() => void) | SentChange

/** Makes an independent set of bells. */
export function createBell(): Bell {
  const listeners = new Map<string, Set<Wake>>()
  let noted: Note[] = []

  /** What is to be told, in the order in which it was noted first: topics with what was sent, and works. */
  function gather(notes: Note[]): Map<string | (() => void), MailChange[]> {
    const rung = new Map<string | (() => void), MailChange[]>()
    const add = (topic: string): MailChange[] | undefined => {
      if (!listeners.has(topic)) return undefined
      const sent = rung.get(topic) ?? []
      rung.set(topic, sent)
      return sent
    }
    for (const note of notes) {
      if (typeof note === 'function') rung.set(note, [])
      else if (typeof note === 'string') add(note)
      else {
        const sent = add(mailboxTopic(note.senderId))
        // A note of the network is of its reader to itself, who has sent nothing.
        if (note.senderId !== note.recipientId) sent?.push(note)
        add(MESSAGES_TOPIC)
      }
    }
    return rung
  }

  return {
    note(topic) {
      noted.push(topic)
    },
    noteSent(change) {
      noted.push(change)
    },
    noteWork(work) {
      noted.push(work)
    },
    mark: () => noted.length,
    takeBack(mark) {
      noted.length = mark
    },
    ring() {
      const notes = noted
      noted = []
      for (const [topic, sent] of gather(notes)) {
        if (typeof topic === 'string') for (const wake of listeners.get(topic) ?? []) wake(sent)
        else topic()
      }
    },
    hear(topic, wake) {
      const set = listeners.get(topic) ?? new Set()
      listeners.set(topic, set.add(wake))
      return () => {
        set.delete(wake)
        if (set.size === 0 && listeners.get(topic) === set) listeners.delete(topic)
      }
    },
    count: () => [...listeners.values()].reduce((sum, set) => sum + set.size, 0),
  }
}

/** Listens by a `hear` until disposed. A ring between two waits is kept, so nothing is missed between read and wait. */
export function listenBy(hear: (wake: () => void) => () => void, signal?: AbortSignal): Listener {
  let kept = false
  let ended = signal?.aborted ?? false
  let waiting: ((alive: boolean) => void) | undefined
  const wake = () => {
    kept = true
    waiting?.(true)
  }
  const end = () => {
    ended = true
    waiting?.(false)
  }
  const unhear = hear(wake)
  signal?.addEventListener('abort', end, { once: true })
  return {
    async rung() {
      if (ended) return false
      const alive = kept || (await new Promise<boolean>((resolve) => (waiting = resolve)))
      kept = false
      waiting = undefined
      return alive
    },
    [Symbol.dispose]() {
      end()
      signal?.removeEventListener('abort', end)
      unhear()
    },
  }
}

/** Notes that a delivery changed, in a way that concerns its recipient's mailbox, too. */
export function noteMail(bell: Pick<Bell, 'note' | 'noteSent'>, change: SentChange): void {
  bell.noteSent(change)
  bell.note(mailboxTopic(change.recipientId))
}

/** The topic of one mailbox: its mail, and what happened to what it sent. */
export const mailboxTopic = (peerId: string) => `mailbox ${peerId}`
/** The topic of everybody's presence and description. */
export const PEERS_TOPIC = 'peers'
/** The topic of every message on the network. */
export const MESSAGES_TOPIC = 'messages'
