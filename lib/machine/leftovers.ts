import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Paths } from './paths.ts'
import { isAlive } from './processes.ts'

/** Removes what processes that were killed left half done: files beside the one they wrote, and the words of hubs they started. */
export function sweepLeftovers({ home, dir, spool }: Pick<Paths, 'home' | 'dir' | 'spool'>): void {
  sweep(dir, /^hub\.start-(\d+)-\d+$|\.(\d+)\.tmp$/)
  for (const one of [spool, join(spool, 'refused')]) sweep(one, /\.(\d+)\.tmp$/)
  sweep(home, /^\.claude-peers\.machine-id\.(\d+)\.tmp$/)
}

/** The pattern finds the number of the process that a file belongs to. */
function sweep(directory: string, pattern: RegExp) {
  for (const name of listNames(directory)) {
    const pid = Number(pattern.exec(name)?.slice(1).find(Boolean))
    if (pid > 0 && !isAlive(pid)) rmSync(join(directory, name), { force: true })
  }
}

/** What cannot be listed is not swept. */
function listNames(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
