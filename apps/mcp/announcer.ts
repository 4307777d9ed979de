/**
 * What this session's hooks and waiter are told of its mail, as the feed tells it. While a remote hub is away, they are
 * told that there is none to be had: each would wait for its whole deadline, at every tool call.
 */
import { busySince, setBusy, setCutOff, setMailFlag, writtenAt, type WaitingMail } from '#machine/cards'
import { hasTurnEnded } from './turn.ts'

export type Waiting = { waiting: number; urgent: number }

/** Makes it for one Claude process; `ring` is its bell. */
export function createAnnouncer({
  sessions,
  pid,
  ring,
}: {
  sessions: string
  pid: number
  ring: () => void
}) {
  let waiting: Waiting | undefined
  // A server that was killed may have left the mark.
  let isCutOff = true

  /** Raises or lowers the flag, and rings. Throws when the directory is gone. */
  function announce() {
    if (!waiting) return
    setMailFlag(sessions, pid, toFlag(waiting))
    // After the flag: who hears the bell looks for it.
    if (waiting.urgent > 0) ring()
  }

  return {
    /** Keeps what the feed told last. */
    keep: (told: Waiting) => void (waiting = told),
    announce,
    /** Whether mail waits that is to wake the session: only then the end of a turn is looked for. */
    isPressing: () => (waiting?.urgent ?? 0) > 0,
    /** Wakes a session whose turn ended without a Stop, once mail waits for it. */
    checkTurn(transcript: string | undefined) {
      if (!waiting?.urgent) return
      const since = busySince(sessions, pid)
      if (since === undefined) return
      const waitsSince = writtenAt(sessions, pid, 'mail') ?? Date.now()
      if (!hasTurnEnded(transcript, { since, waitsSince, now: Date.now() })) return
      unlessGone(() => {
        setBusy(sessions, pid, false)
        announce()
      })
    },
    /** The remote hub is away: what it told last holds no more, until it tells it anew. */
    cutOff() {
      waiting = undefined
      isCutOff = true
      unlessGone(() => {
        setMailFlag(sessions, pid, undefined)
        setCutOff(sessions, pid, true)
      })
    },
    /** The hub answers. */
    back() {
      if (isCutOff) unlessGone(() => setCutOff(sessions, pid, false))
      isCutOff = false
    },
  }
}

/** Without the directory there is no card either, and so no hook that asks. */
function unlessGone(work: () => void) {
  try {
    work()
  } catch {
    // The next change tells it.
  }
}

const toFlag = ({ waiting, urgent }: Waiting): WaitingMail | undefined =>
  waiting === 0 ? undefined : urgent > 0 ? 'wake' : 'fyi'
