/**
 * How much may be stored. A limit of calls does not hold the database small: one machine that sent the longest messages to
 * 50 recipients each made it grow by 21 MB a second. So each machine has a number of bytes a day, kept in memory (the price:
 * a hub that starts again begins to count again), and below a floor of free disk no message is taken at all, so that what
 * was taken can still be delivered and acknowledged.
 */
import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Connection } from './connection.ts'
import { BYTES_A_DAY, DISK_FLOOR, ROW_BYTES } from './limits.ts'

const DAY_MS = 24 * 60 * 60 * 1_000
/** Above four times the floor, how often the disk is looked at, and below it at each send. */
const LOOK_MS = 1_000
const FAR = 4

/** Makes the count of the bytes that machines store. `homeId` is the hub's own machine. */
export function createVolume({ now, bell }: Pick<Connection, 'now' | 'bell'>, homeId: string | undefined) {
  const days = new Map<string, { since: number; bytes: number }>()

  /** Begins a new day when the last one is over, or the clock was set back before it. */
  function today(machineId: string) {
    const day = days.get(machineId)
    if (day && now() >= day.since && now() < day.since + DAY_MS) return day
    const begun = { since: now(), bytes: 0 }
    days.set(machineId, begun)
    return begun
  }

  const limitOf = (machineId: string) =>
    homeId === undefined || machineId === homeId ? BYTES_A_DAY.home : BYTES_A_DAY.other

  return {
    /** The bytes that a message takes with a row for each recipient. */
    sizeOf: (body: string, recipients: number): number => Buffer.byteLength(body) + recipients * ROW_BYTES,
    /** How much a machine may store a day and when its next one begins, where `bytes` more are too many today. */
    excess(machineId: string, bytes: number): { limit: number; waitMs: number } | undefined {
      const day = today(machineId)
      const limit = limitOf(machineId)
      return day.bytes + bytes > limit ? { limit, waitMs: day.since + DAY_MS - now() } : undefined
    },
    /** Counts what is stored, once it is committed: a machine may pass its limit by what one commit holds. */
    note(machineId: string, bytes: number): void {
      bell.noteWork(() => (today(machineId).bytes += bytes))
    },
  }
}

/** Makes the check of the disk of a database: true below the floor. A disk that cannot be looked at is not checked. */
export function watchDisk(file: string): () => boolean {
  if (file === ':memory:') return () => false
  let next = 0
  let isLow = false
  return () => {
    const time = performance.now()
    if (time < next) return isLow
    const room = readRoom(dirname(file))
    isLow = room < 1
    next = room < FAR ? 0 : time + LOOK_MS
    return isLow
  }
}

/** The free bytes of a disk as a multiple of its floor. */
function readRoom(directory: string): number {
  try {
    const { bavail, blocks, bsize } = statfsSync(directory)
    const { most, least, part } = DISK_FLOOR
    return (bavail * bsize) / Math.min(most, Math.max(least, blocks * bsize * part))
  } catch {
    return Infinity
  }
}
