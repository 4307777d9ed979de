import { readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Paths } from './paths.ts'
import { isAlive, ownNamespace } from './processes.ts'

/** Removes what processes that were killed left half done: files beside the one they wrote, and the words of hubs they started. */
export function sweepLeftovers({ home, dir, spool }: Pick<Paths, 'home' | 'dir' | 'spool'>): void {
  sweep(dir, /^hub\.start-(?<pid>\d+)(?:-(?<namespace>\d+))?\.\d+$/)
  for (const one of [dir, spool, join(spool, 'refused')]) sweep(one, TEMPORARY)
  sweep(home, new RegExp(`^\\.claude-peers\\.machine-id${TEMPORARY.source}`))
}

/** As `writePrivate` names what it has not finished. */
const TEMPORARY = /\.(?<pid>\d+)(?:-(?<namespace>\d+))?\.tmp$/

/** What a process of another pid namespace writes cannot be judged here; no file takes a day to write. */
const OTHERS_MS = 24 * 60 * 60_000

/** The pattern finds the process that a file belongs to: its number, and its namespace. */
function sweep(directory: string, pattern: RegExp) {
  for (const name of listNames(directory)) {
    const { pid, namespace } = pattern.exec(name)?.groups ?? {}
    if (pid === undefined) continue
    const path = join(directory, name)
    const isLeft = namespace === ownNamespace() ? !isAlive(Number(pid)) : isOld(path)
    if (isLeft) rmSync(path, { force: true })
  }
}

function isOld(path: string): boolean {
  const written = statSync(path, { throwIfNoEntry: false })?.mtimeMs
  return written !== undefined && Date.now() - written > OTHERS_MS
}

/** What cannot be listed is not swept. */
function listNames(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
