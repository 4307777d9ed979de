/**
 * Doorbells. A feed keeps no queue: a writer rings the topic it changed, after its commit, and each subscriber
 * reads the rows above its own cursor when it is ready. A stalled subscriber therefore costs one flag.
 */

export type Bell = {
  /** Notes that a topic changed; `ring` tells the listeners. */
  note(topic: string): void
  /** Notes what is to be done at the next ring. */
  noteWork(work: () => void): void
  /** Where the notes stand now, for `takeBack`. */
  mark(): number
  /** Forgets what was noted since the mark: the write that noted it was rolled back. */
  takeBack(mark: number): void
  /** Wakes the listeners of every topic noted since the last ring. */
  ring(): void
  /** Calls `wake` at each ring of a topic, within the ring, until what it returns is called. It must not throw. */
  hear(topic: string, wake: () => void): () => void
  /** Listens until disposed. A ring between two waits is kept, so nothing is missed between read and wait. */
  listen(topic: string, signal?: AbortSignal): Listener
  /** How many listen now. */
  count(): number
}

export type Listener = Disposable & {
  /** Resolves at the next ring (at once if one is kept): true, or false at the end of the signal or listener. */
  rung(): Promise<boolean>
}

/** Makes an independent set of bells. */
export function createBell(): Bell {
  const listeners = new Map<string, Set<() => void>>()
  let noted: (string | (() => void))[] = []

  function hear(topic: string, wake: () => void): () => void {
    const set = listeners.get(topic) ?? new Set()
    listeners.set(topic, set.add(wake))
    return () => {
      set.delete(wake)
      if (set.size === 0 && listeners.get(topic) === set) listeners.delete(topic)
    }
  }

  return {
    note(topic) {
      noted.push(topic)
    },
    noteWork(work) {
      noted.push(work)
    },
    mark: () => noted.length,
    takeBack(mark) {
      noted.length = mark
    },
    ring() {
      const topics = new Set(noted)
      noted = []
      for (const topic of topics) {
        if (typeof topic === 'string') for (const wake of listeners.get(topic) ?? []) wake()
        else topic()
      }
    },
    hear,
    listen: (topic, signal) => listenBy((wake) => hear(topic, wake), signal),
    count: () => [...listeners.values()].reduce((sum, set) => sum + set.size, 0),
  }
}

function listenBy(hear: (wake: () => void) => () => void, signal: AbortSignal | undefined): Listener {
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

/** The topic of one mailbox: its mail, and what happened to what it sent. */
export const mailboxTopic = (peerId: string) => `mailbox ${peerId}`
/** The topic of everybody's presence and description. */
export const PEERS_TOPIC = 'peers'
/** The topic of every message on the network. */
export const MESSAGES_TOPIC = 'messages'
