import { chmodSync, closeSync, openSync } from 'node:fs'
import Sqlite from 'better-sqlite3'
import type { BetterSQLite3Database } from 'drizzle-orm/better-sqlite3'
import { createBell, type Bell } from './bell.ts'
import { createCommitQueue, type CommitQueue } from './commit-queue.ts'
import { readEpoch } from './epoch.ts'
import { watchInPlace, type InPlace } from './in-place.ts'
import { MESSAGE_TTL_MS } from './limits.ts'
import type { Meter } from './meter.ts'
import { openOrm } from './orm.ts'
import { selectSeat, type SeatRow } from './peer-rows.ts'
import { createSeatCache } from './seat-cache.ts'
import { createVolume, watchDisk } from './volume.ts'
import { countWrites, type Writes } from './writes.ts'

/** One open database and what its operations share. */
export type Connection = {
  sqlite: Sqlite.Database
  orm: BetterSQLite3Database
  /** How often a statement wrote to a table; also of what was rolled back. */
  writes: Writes
  /** The seat of an id, read once until it may have changed. */
  seat: (id: string) => SeatRow | undefined
  /** Mailboxes that mail was put into, and that nobody has taken from since; in vain if that was rolled back or settled. */
  fresh: Set<string>
  queue: CommitQueue
  bell: Bell
  /** Milliseconds since the epoch; injected, so that tests own the time. */
  now: () => number
  /** The number of the next change, larger than any given before, also over restarts. */
  nextSeq: () => number
  /** The number of the newest change. */
  lastSeq: () => number
  /** The number that every change since this connection was opened is above. */
  openedSeq: number
  /** The history in which the numbers of changes mean something. */
  epoch: string
  meter: Meter | undefined
  /** How long mail that is sent now waits for its recipient, in ms. */
  expireAfterMs: number
  /** How much each machine stores. */
  volume: ReturnType<typeof createVolume>
  /** Whether its files are still where they were. */
  inPlace: InPlace
  /** Whether the disk has so little room that no mail may be taken. */
  isDiskLow: () => boolean
}

export type ConnectOptions = {
  meter?: Meter | undefined
  expireAfterMs?: number | undefined
  /** The machine that the database is on. */
  homeId?: string | undefined
}

/** Opens the file (owner-only) with durable commits. Throws when SQLite does not accept a setting. */
export function openSqlite(file: string): Sqlite.Database {
  const inMemory = file === ':memory:'
  if (!inMemory) makeOwnerOnly(file)
  const sqlite = new Sqlite(file, { timeout: 5_000 })
  try {
    const mode = sqlite.pragma('journal_mode = WAL', { simple: true })
    if (mode !== (inMemory ? 'memory' : 'wal')) {
      throw new Error(`SQLite refused journal_mode=WAL for ${file}: keep the database on a local disk`)
    }
    // better-sqlite3 is compiled to fall to NORMAL under WAL, which loses acknowledged mail at a power cut.
    sqlite.pragma('synchronous = FULL')
    // What macOS calls fsync leaves the data in the drive's cache; elsewhere this changes nothing.
    sqlite.pragma('fullfsync = ON')
    if (sqlite.pragma('synchronous', { simple: true }) !== 2)
      throw new Error('SQLite refused synchronous=FULL')
    sqlite.pragma('foreign_keys = ON')
    sqlite.pragma('wal_autocheckpoint = 1000')
    // In KiB, and 2 MB by default: of a database of some days, each write then read pages that it had read just before.
    sqlite.pragma('cache_size = -8000')
    return sqlite
  } catch (cause) {
    sqlite.close()
    throw cause
  }
}

/** Wraps a migrated database for its operations. */
export function connect(
  sqlite: Sqlite.Database,
  now: () => number,
  { meter, expireAfterMs = MESSAGE_TTL_MS, homeId }: ConnectOptions = {},
): Connection {
  const bell = createBell()
  const seats = createSeatCache<SeatRow>(sqlite)
  const writes = countWrites()
  const orm = openOrm(sqlite, (table) => {
    writes.note(table)
    seats.written(table)
  })
  const seat = selectSeat(orm)
  const sequence = createSequence(sqlite, now)
  const inPlace = watchInPlace(sqlite)
  return {
    sqlite,
    orm,
    writes,
    seat: (id) => seats.get(id, () => seat.get({ id })),
    fresh: new Set(),
    queue: createCommitQueue(sqlite, bell, { meter, secure: inPlace.secure }),
    bell,
    now,
    meter,
    expireAfterMs,
    volume: createVolume({ now, bell }, homeId),
    inPlace,
    isDiskLow: watchDisk(sqlite.name),
    epoch: readEpoch(sqlite),
    ...sequence,
  }
}

/** More numbers than a hub gives between two that a row keeps: activities and writes that were rolled back take some. */
const UNSTORED = 1_000_000

/**
 * Starts above every number that was given and above the clock in microseconds: a cursor that a client kept stays below
 * what comes next even when the newest rows were deleted meanwhile, or the clock was set back. Fits a double until the
 * year 2255.
 */
function createSequence(sqlite: Sqlite.Database, now: () => number) {
  const stored = sqlite
    .prepare(
      'select max(coalesce((select max(changed_seq) from peers), 0), coalesce((select max(changed_seq) from deliveries), 0))',
    )
    .pluck()
    .get() as number
  const openedSeq = Math.max(stored + UNSTORED, now() * 1_000)
  let last = openedSeq
  return { nextSeq: () => ++last, lastSeq: () => last, openedSeq }
}

function makeOwnerOnly(file: string) {
  closeSync(openSync(file, 'a', 0o600))
  for (const path of [file, `${file}-wal`, `${file}-shm`]) {
    try {
      chmodSync(path, 0o600)
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
    }
  }
}
