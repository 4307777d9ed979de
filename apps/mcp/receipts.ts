import type { Unread } from '#router/shapes/mailbox'
import { createSightings, type Sighting } from './transcript-sightings.ts'
import { createTail, type Tail } from './transcript-tail.ts'

export type ReceiptsOptions = {
  /** The session's transcript as of now; `undefined` while it is not known. */
  transcript: () => string | undefined
  toolPrefix: string
  /** Tells the hub which messages were seen, or should have been. Rejects when it could not. */
  confirm(ids: number[]): Promise<unknown>
  doubt(ids: number[]): Promise<unknown>
  /** Milliseconds since the epoch, by the clock that the client dates its transcript with. */
  now: () => number
}

/** What is known of the mail that the transcript may show by now. */
export type Receipts = {
  /** Takes the hub's word for what is unread; it replaces what was said before. */
  expect(mail: Unread[]): void
  /** Reads on in the transcript and tells the hub what that proves. One call at a time; rejects as its parts do. */
  look(): Promise<void>
  /** Whether a message may still be seen; `isPressing`, whether that is expected of it. */
  isOpen(): boolean
  isPressing(): boolean
  /** The transcript that was read last. */
  path(): string | undefined
}

/** A delivery that does not show up in a minute of a transcript that goes on is unconfirmed. */
const DOUBT_AFTER_MS = 60_000
/** An entry that is older than its message's offer by more than this shows another message of that number. */
const TOLERANCE_MS = 5_000
/** After `/clear` the end of the transcript before may still be written. */
const MAX_TAILS = 2
const MAX_SIGHTINGS = 1_000

type OpenMail = Unread & {
  offeredAt: number
  /** When the transcript first grew after the delivery was known and all that stood there was read. */
  grewAt?: number
  isMeasured?: boolean
}

/** Makes the bookkeeping of one session's receipts; it reads when asked to, and holds no timer and no open file. */
export function createReceipts(options: ReceiptsOptions): Receipts {
  const { now } = options
  const toSightings = createSightings(options.toolPrefix)
  const sighted = new Map<number, number>()
  let open = new Map<number, OpenMail>()
  let tails: Tail[] = []

  function keep({ id, at }: Sighting) {
    const before = sighted.get(id) ?? at
    sighted.delete(id)
    sighted.set(id, Math.max(at, before))
    if (sighted.size > MAX_SIGHTINGS) sighted.delete(sighted.keys().next().value!)
  }

  async function readOn(): Promise<number> {
    const path = options.transcript()
    if (path !== undefined && path !== tails[0]?.path) {
      const known = tails.find((tail) => tail.path === path) ?? createTail(path)
      tails = [known, ...tails.filter((tail) => tail !== known)].slice(0, MAX_TAILS)
    }
    let bytes = 0
    for (const tail of tails) bytes += await tail.read((line) => toSightings(line).forEach(keep))
    return bytes
  }

  /** What the transcript held before the delivery was known proves nothing by its length. */
  function measure(bytes: number) {
    if (tails.length === 0) return
    for (const mail of open.values()) {
      if (mail.state !== 'delivered') continue
      if (mail.isMeasured && bytes > 0) mail.grewAt ??= now()
      mail.isMeasured = true
    }
  }

  const isSeen = ({ id, offeredAt }: OpenMail) => (sighted.get(id) ?? -Infinity) >= offeredAt - TOLERANCE_MS
  const isLate = ({ doubted, grewAt }: OpenMail) =>
    !doubted && grewAt !== undefined && now() - grewAt >= DOUBT_AFTER_MS
  const select = (wanted: (mail: OpenMail) => boolean) => [...open.values()].filter(wanted)

  return {
    expect(mail) {
      const before = open
      open = new Map(
        mail.map((one) => {
          const known = before.get(one.id)
          const measured = known?.state === one.state ? known : {}
          return [one.id, { ...measured, ...one, offeredAt: now() - one.offeredAgo }]
        }),
      )
    },
    async look() {
      measure(await readOn())
      const seen = select(isSeen)
      if (seen.length > 0) {
        await options.confirm(seen.map((mail) => mail.id))
        for (const mail of seen) if (open.get(mail.id) === mail) open.delete(mail.id)
      }
      const late = select(isLate)
      if (late.length > 0) {
        await options.doubt(late.map((mail) => mail.id))
        for (const mail of late) mail.doubted = true
      }
    },
    isOpen: () => open.size > 0,
    isPressing: () => select((mail) => !mail.doubted).length > 0,
    path: () => tails[0]?.path,
  }
}
