/**
 * The messages of this machine that a remote hub has not answered for: `~/.claude-peers/spool`, one file each, flushed
 * with its directory before anybody is told that it is kept. Files rather than a database: many processes of one user
 * write and remove them at once, a message is small, and the clients carry no SQLite. The price is a look at a
 * directory at each send while a remote hub is configured.
 *
 * A name is the entry's place in the order, and no two entries ever share one: the place is the time of this machine,
 * but at least one more than that of the newest entry, so that a clock that is set back overtakes nobody. What the hub
 * refuses is moved to `refused/` with its words, and stays until its sender was told, or a month.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { sendInput } from '#router/shapes/messages'
import { registerInput } from '#router/shapes/peers'
import type { Config } from './config.ts'
import { createPrivate, parseJson, readIfThere, syncDirectory } from './files.ts'
import { makePrivateDir } from './paths.ts'
import { isIdentical } from './processes.ts'
import { DEFAULT_EXPIRE_AFTER_MS } from './settings.ts'

/**
 * Who sends: the seat and its mailbox key, where there was one, and what a new seat would be registered with. A person
 * has the kind `user`.
 */
export const sender = z.object({
  peerId: z.string().optional(),
  key: z.string().optional(),
  registration: registerInput,
})
export type Sender = z.infer<typeof sender>

const entryShape = z.object({
  /** The hub that it is for; it is never sent to another. */
  hub: z.url(),
  sender,
  input: sendInput,
  /** When it was kept, in ms since the epoch. */
  at: z.number().int(),
  /** The process that keeps it, and sends it as long as it lives. */
  by: z.object({
    pid: z.number().int().positive(),
    start: z.string().optional(),
    namespace: z.string().optional(),
  }),
})
export type Entry = z.infer<typeof entryShape>

const refusedShape = entryShape.extend({
  reason: z.string(),
  /** Whether the hub may have it all the same, as nobody heard its answer. */
  isUnknown: z.boolean().optional(),
  refusedAt: z.number().int(),
})
export type Refused = z.infer<typeof refusedShape>

/** An entry by its file's name. */
export type Named<T> = T & { name: string }

export type Spool = {
  /** Its clock, in ms since the epoch. */
  now(): number
  /** How long an entry waits before it is too old, in ms. */
  expireAfterMs(): number
  /** Keeps an entry behind all others; it is on disk when this returns. Throws SpoolError, and then it is not kept. */
  add(entry: Omit<Entry, 'at'>): Named<Entry>
  /** What waits, oldest first. */
  list(): Named<Entry>[]
  /** The files of entries that cannot be read any more: damaged, or another user's. They are left where they are. */
  unreadable(): string[]
  /**
   * Since when an entry that is too old is known to be so: since the first process that asked. Kept as the time of its
   * file, which never changes otherwise.
   */
  overdueSince(entry: Named<Entry>): number
  /** Ends an entry that the hub has answered for. */
  remove(name: string): void
  /** Moves an entry to those that are not sent any more, with the reason, unless another process has ended it. */
  refuse(entry: Named<Entry>, reason: string, how?: { isUnknown: boolean }): void
  /** What is not sent any more and was not told yet, oldest first. */
  refused(): Named<Refused>[]
  /** Ends a refusal that was told. */
  forget(name: string): void
}

/** A message is not kept: there are too many, or it cannot be written. The message says what to do. */
export class SpoolError extends Error {
  override name = 'SpoolError'
}

const MOST_ENTRIES = 1_000
const MOST_BYTES = 16 * 1_024 * 1_024
/** As long as the hub keeps settled messages. */
const REFUSED_KEPT_MS = 30 * 24 * 60 * 60_000
/** A place is a time of this millennium or the next few: behind a larger one nothing could be kept in order. */
const NAME = /^[01]\d{14}-[0-9a-f]{16}\.json$/

export type SpoolOptions = { now?: () => number; expireAfterMs?: () => number }

/** Opens the spool of a user, which need not exist yet; nothing is created before there is something to keep. */
export function openSpool(
  directory: string,
  { now = Date.now, expireAfterMs = () => DEFAULT_EXPIRE_AFTER_MS }: SpoolOptions = {},
): Spool {
  const waiting = openFolder(directory, entryShape)
  const refusals = openFolder(join(directory, 'refused'), refusedShape)

  function checkRoom({ hub }: { hub: string }, bytes: number) {
    const { count, bytes: taken } = waiting.size()
    if (count < MOST_ENTRIES && taken + bytes <= MOST_BYTES) return
    throw new SpoolError(
      `The hub at ${hub} does not answer, and ${count} messages wait for it on this computer already: this one is not kept. Send it again when the hub is back; "claude-peers status" shows how it is.`,
    )
  }

  return {
    now,
    expireAfterMs,
    add(given) {
      const entry: Entry = { ...given, at: now() }
      const text = JSON.stringify(entry)
      checkRoom(entry, Buffer.byteLength(text))
      checkReadable(text)
      try {
        const place = Math.max(entry.at, toPlace(waiting.names().at(-1)) + 1)
        const name = waiting.put(toName(place, entry), text)
        waiting.setTime(name, entry.at)
        return { ...entry, name }
      } catch (cause) {
        throw toUnwritten(entry, directory, cause as Error)
      }
    },
    list: () => waiting.list(),
    unreadable: () => waiting.unreadable(),
    overdueSince({ name, at }) {
      const since = waiting.timeOf(name) ?? now()
      if (since > at + expireAfterMs()) return since
      waiting.setTime(name, now())
      return now()
    },
    remove(name) {
      waiting.remove(name)
      // Of a process that was killed while it refused it.
      refusals.remove(name)
    },
    refuse({ name, ...entry }, reason, { isUnknown } = { isUnknown: false }) {
      refusals.put(name, JSON.stringify({ ...entry, reason, isUnknown, refusedAt: now() }))
      if (!waiting.has(name)) return refusals.remove(name)
      waiting.remove(name)
    },
    refused() {
      const found = refusals.list()
      const old = found.filter((one) => now() - one.refusedAt > REFUSED_KEPT_MS)
      for (const one of old) refusals.remove(one.name)
      return found.filter((one) => !old.includes(one))
    },
    forget: refusals.remove,
  }
}

/** Opens it with the settings of its user. */
export const openSpoolOf = ({ paths, expireAfterMs }: Pick<Config, 'paths' | 'expireAfterMs'>): Spool =>
  openSpool(paths.spool, { expireAfterMs: () => expireAfterMs })

/** Whether two are the same sender: one seat, one Claude process, or the person of a machine. */
export function isSameSender(one: Sender, other: Sender): boolean {
  const [left, right] = [one.registration, other.registration]
  if (left.machine.id !== right.machine.id) return false
  if (left.kind === 'user' || right.kind === 'user') return left.kind === right.kind
  if (one.peerId !== undefined && one.peerId === other.peerId) return true
  return left.process !== undefined && right.process !== undefined && isIdentical(left.process, right.process)
}

/** What no process could read again would be lost. */
function checkReadable(text: string) {
  const { error } = entryShape.safeParse(JSON.parse(text))
  if (!error) return
  const [issue] = error.issues
  throw new SpoolError(
    `The hub does not answer, and the message is not kept, as this is nothing it would take: ${issue?.path.join('.')}: ${issue?.message}.`,
  )
}

const toUnwritten = ({ hub }: Entry, directory: string, cause: Error) =>
  new SpoolError(
    `The hub at ${hub} does not answer, and the message could not be kept on this computer (${cause.message}): make room, or see whose ${directory} is, and send it again.`,
  )

const toPlace = (name: string | undefined) => (name === undefined ? 0 : Number(name.slice(0, 15)))

function toName(place: number, { input }: Entry): string {
  const mark = createHash('sha256').update(input.idempotencyKey).digest('hex').slice(0, 16)
  return `${String(place).padStart(15, '0')}-${mark}.json`
}

/** A directory of entries, which never change: each is read once. One that cannot be read is passed over and left alone. */
function openFolder<T>(directory: string, shape: z.ZodType<T>) {
  const known = new Map<string, { value: T | undefined; bytes: number }>()

  function names(): string[] {
    const found = listNames(directory)
      .filter((name) => NAME.test(name))
      .toSorted()
    const there = new Set(found)
    for (const name of known.keys()) if (!there.has(name)) known.delete(name)
    return found
  }

  function read(name: string) {
    const before = known.get(name)
    if (before) return before
    const text = readOrNothing(join(directory, name))
    const found = { value: shape.safeParse(parseJson(text)).data, bytes: Buffer.byteLength(text ?? '') }
    // Another process has just removed it, if there is nothing.
    if (text !== undefined) known.set(name, found)
    return found
  }

  return {
    names,
    list: (): Named<T>[] =>
      names().flatMap((name) => {
        const { value } = read(name)
        return value === undefined ? [] : [{ ...value, name }]
      }),
    unreadable: (): string[] =>
      names()
        .filter((name) => read(name).value === undefined)
        .map((name) => join(directory, name))
        .filter((path) => existsSync(path)),
    has: (name: string) => existsSync(join(directory, name)),
    timeOf: (name: string) => statSync(join(directory, name), { throwIfNoEntry: false })?.mtimeMs,
    setTime(name: string, time: number) {
      try {
        utimesSync(join(directory, name), time / 1_000, time / 1_000)
      } catch {
        // Removed by another process, or on a disk that takes no writes: it waits on, then.
      }
    },
    size() {
      const found = names()
      return { count: found.length, bytes: found.reduce((sum, name) => sum + read(name).bytes, 0) }
    },
    put(name: string, text: string): string {
      makeDurableDir(directory)
      createPrivate(join(directory, name), text)
      return name
    },
    remove(name: string) {
      rmSync(join(directory, name), { force: true })
      known.delete(name)
    },
  }
}

/** A directory that is there after a power cut. */
function makeDurableDir(directory: string) {
  if (existsSync(directory)) return
  mkdirSync(join(directory, '..'), { recursive: true, mode: 0o700 })
  makePrivateDir(directory)
  syncDirectory(join(directory, '..'))
}

/** Nothing also for what cannot be read: a directory in its place, or another user's file. */
function readOrNothing(path: string): string | undefined {
  try {
    return readIfThere(path)
  } catch {
    return undefined
  }
}

function listNames(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch (cause) {
    // Nothing was kept yet, or nothing can be.
    if (['ENOENT', 'ENOTDIR'].includes(String((cause as NodeJS.ErrnoException).code))) return []
    throw cause
  }
}
