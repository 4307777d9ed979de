import type { TRPCClientError } from '@trpc/client'
import { isSameSender, type Entry, type Named, type Sender, type Spool } from '#machine/spool'
import type { SendInput, Sent } from '#router/shapes/messages'
import type { AppRouter } from '#router/router'
import { judge } from './verdict.ts'

/** Sends as one sender; rejects as a call to the hub does. */
export type Speaker = (input: SendInput) => Promise<Sent>

export type DrainOptions = {
  spool: Spool
  /** The hub that is drained to. */
  hub: string
  /** Who sends an entry; `undefined` while that is for somebody else, or nobody can. */
  speakerOf(entry: Named<Entry>): Speaker | undefined
  /** Told of each that the hub has. */
  onSent?: (entry: Named<Entry>, sent: Sent) => void
  /** Ends a run before its next message. */
  signal?: AbortSignal
}

/** What is left: nothing that is this process's to send; some for later; or all, as the hub is away, or shut to this machine. */
export type Drained = 'done' | 'later' | 'away' | 'shut'

/** How long what is found to be too old waits on: whoever was asleep with it has a hub again by then, if there is one. */
const GRACE_MS = 60 * 60_000
const DAY_MS = 24 * 60 * 60_000
/** A limit of sends passes within a minute; a mailbox that stays full is the sender's to know of. */
const PATIENCE_MS = 10 * 60_000

/**
 * Moves what is too old to the refused, whichever hub it is for; but not before an hour has passed
 * since somebody first found it too old.
 */
export function expire(spool: Spool): void {
  const isOld = (entry: Entry) => spool.now() - entry.at > spool.expireAfterMs()
  for (const entry of spool.list().filter(isOld)) {
    if (spool.now() - spool.overdueSince(entry) <= GRACE_MS) continue
    spool.refuse(entry, toTooOld(spool.expireAfterMs()), { isUnknown: true })
  }
}

function toTooOld(expireAfterMs: number): string {
  const days = expireAfterMs / DAY_MS
  return `The hub did not answer for ${days === 1 ? 'a day' : `${days} days`} after it was written.`
}

/**
 * Makes the drain of the spool to one hub. A run sends what waits, oldest first and one at a time, each with the key of
 * the attempt that failed: what the hub has already is not stored twice, so that two who drain at once do no harm. An
 * entry is removed after the hub's answer alone. While one of a sender cannot be sent, nothing newer of that sender is;
 * what the hub refuses for good, or for ten minutes, and what is too old (see `expire`), is moved to the refused. Never
 * rejects for what the hub says; one run at a time.
 */
export function createDrain({ spool, hub, speakerOf, onSent, signal }: DrainOptions) {
  const putOff = new Map<string, number>()
  let underWay: Promise<Drained> | undefined

  async function run(): Promise<Drained> {
    for (;;) {
      expire(spool)
      const held: Sender[] = []
      let count = 0
      for (const entry of spool.list()) {
        if (signal?.aborted) return 'later'
        if (entry.hub !== hub) continue
        const outcome = isHeld(held, entry) ? 'held' : await send(entry)
        if (outcome === 'away' || outcome === 'shut') return outcome
        if (outcome === 'sent') count++
        // Also the one that is held: one sender's entries need not name the same seat and process.
        if (['later', 'theirs', 'held'].includes(outcome)) held.push(entry.sender)
      }
      // Something may have been added meanwhile.
      if (count === 0) return held.length > 0 ? 'later' : 'done'
    }
  }

  async function send(
    entry: Named<Entry>,
  ): Promise<'sent' | 'refused' | 'later' | 'theirs' | 'away' | 'shut'> {
    const speaker = speakerOf(entry)
    if (!speaker) return 'theirs'
    try {
      const sent = await speaker(entry.input)
      end(entry)
      onSent?.(entry, sent)
      return 'sent'
    } catch (cause) {
      const verdict = judge(cause)
      if (verdict === 'away' || verdict === 'shut') return verdict
      if (verdict === 'unknown' || verdict === 'failed') return 'later'
      if (verdict === 'limit' && !isTooLong(entry)) return 'later'
      putOff.delete(entry.name)
      // An attempt before has stored it, for whoever had that name then.
      const isUnknown = (cause as TRPCClientError<AppRouter>).data?.code === 'CONFLICT'
      spool.refuse(entry, (cause as Error).message, { isUnknown })
      return 'refused'
    }
  }

  function end({ name }: Named<Entry>) {
    spool.remove(name)
    putOff.delete(name)
  }

  function isTooLong({ name }: Named<Entry>): boolean {
    const since = putOff.get(name) ?? spool.now()
    putOff.set(name, since)
    return spool.now() - since > PATIENCE_MS
  }

  return function drain(): Promise<Drained> {
    underWay ??= run().finally(() => (underWay = undefined))
    return underWay
  }
}

const isHeld = (held: Sender[], { sender }: Entry) => held.some((one) => isSameSender(one, sender))
