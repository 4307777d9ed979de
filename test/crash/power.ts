/** Cutting the power at every sync and every answer of a recorded hub, and starting again on what the disk holds then. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { openDatabase } from '../../lib/db/open.ts'
import { PACKAGE_ROOT } from '../../lib/machine/package.ts'
import type { Chance } from './chance.ts'
import type { Disk, Files } from './disk.ts'
import { REMAINS } from './disk.ts'
import type { DiskEvent } from './disk-log.ts'

export type PowerCuts = {
  /** Different states of the disk that were started on. */
  states: number
  /** Syncs of files and directories, and answers, at which the power was cut. */
  syncs: number
  answers: number
  /** What was promised and is not there, or is not sound. */
  broken: string[]
}

export type CutOptions = {
  disk: Disk
  /** The database's path while it was recorded. */
  file: string
  chance: Chance
  /** A file without whose content the mail of this machine would find nobody, from the first answer on. */
  needed?: { path: string; content: string }
  /** Message numbers that were promised before the recording began. */
  promised?: number[]
  /** Stops after the first broken state. */
  untilBroken?: boolean
}

/** Receipts, wherever an answer carries one: from then on the message must be there, at least that far. */
const RECEIPT = /"messageId":(\d+),"from":"[^"]*","to":"[^"]*","urgency":"\w+","state":"(\w+)"/g

/** Replays what happened, cuts before and after every sync and after every answer, in every way. */
export function cutEverywhere(events: DiskEvent[], options: CutOptions): PowerCuts {
  const { disk, chance, file, needed, untilBroken = false } = options
  const promises = new Map((options.promised ?? []).map((id) => [id, 'queued']))
  const place = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'claude-peers-power-'))
  const known = new Set<string>()
  const result: PowerCuts = { states: 0, syncs: 0, answers: 0, broken: [] }

  function cut(at: number) {
    for (const remains of REMAINS) {
      const files = disk.cut(remains, chance)
      const state = toState(files, promises)
      if (known.has(state)) continue
      known.add(state)
      result.states++
      const isThere = !needed || result.answers === 0 || files.get(needed.path)?.toString() === needed.content
      const directory = join(place, String(result.states))
      const trouble = isThere
        ? startOn(files, { directory, file, promises })
        : `${needed.path} is not as it was`
      if (trouble) result.broken.push(`event ${at}, ${remains} of what was not synced: ${trouble}`)
    }
  }

  try {
    for (const [at, event] of events.entries()) {
      if (untilBroken && result.broken.length > 0) break
      if (event.kind === 'sync') cut(at)
      disk.apply(event)
      if (event.kind === 'sync') {
        result.syncs++
        cut(at)
      }
      if (event.kind === 'answer' && promise(event.data, promises)) {
        result.answers++
        cut(at)
      }
    }
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
  return result
}

function promise(data: Buffer, promises: Map<number, string>): boolean {
  const told = [...data.toString('latin1').matchAll(RECEIPT)]
  for (const [, id, state] of told) promises.set(Number(id), state!)
  return told.length > 0
}

function toState(files: Files, promises: Map<number, string>): string {
  const hash = createHash('sha1').update(String([...promises]))
  for (const [name, bytes] of files) hash.update(`${name} ${bytes.length} `).update(bytes)
  return hash.digest('hex')
}

const FAR: Record<string, number> = { queued: 0, offered: 0, delivered: 1, read: 2 }

/** Starts as the hub does; gives what is wrong then. */
function startOn(
  files: Files,
  { directory, file, promises }: { directory: string; file: string; promises: Map<number, string> },
): string | undefined {
  mkdirSync(directory)
  for (const [name, bytes] of files) {
    // Shared memory and locks end with the machine.
    if (!/-shm$|\.lock$/.test(name)) writeFileSync(join(directory, basename(name)), bytes)
  }
  try {
    const target = join(directory, basename(file))
    const machine = { id: 'machine-after-the-cut', host: 'laptop' }
    const folder = join(PACKAGE_ROOT, 'drizzle')
    const { database } = openDatabase({ file: target, folder, machine, now: Date.now })
    try {
      const integrity = String(database.sqlite.pragma('integrity_check', { simple: true }))
      if (integrity !== 'ok') return integrity
      const kept = new Map(
        database.sqlite.prepare('select message_id, state from deliveries').raw().all() as [number, string][],
      )
      const missing = [...promises].filter(([id, state]) => (FAR[kept.get(id) ?? ''] ?? -1) < FAR[state]!)
      return missing.length > 0 ? `missing: ${JSON.stringify(missing)}` : undefined
    } finally {
      database.close()
    }
  } catch (cause) {
    return (cause as Error).message
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
