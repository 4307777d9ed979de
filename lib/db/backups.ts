import { readdirSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** How many backups of one database are kept, whatever changed it. */
const KEPT = 3

/** Where a backup of this moment goes. */
export function backupName(file: string, label: 'backup' | 'v2-backup', now: number): string {
  const stamp = new Date(now).toISOString().replaceAll(/[-:]/g, '').replace('T', '-').slice(0, 15)
  return `${file}.${label}-${stamp}`
}

/** Removes all but the newest three backups of a database; `made` is one of those, whatever the clock said. */
export function pruneBackups(file: string, made: string): void {
  const older = listBackups(file).filter((path) => path !== made)
  for (const path of older.slice(KEPT - 1)) {
    try {
      rmSync(path)
    } catch {
      // A backup too many is no reason not to serve.
    }
  }
}

/** Our backups of a database, newest first; files with any other name are somebody else's. */
function listBackups(file: string): string[] {
  const prefix = `${basename(file)}.`
  return readdirSync(dirname(file), { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.startsWith(prefix))
    .flatMap(({ name }) => {
      const match = /^(?:v2-)?backup-(\d{8}-\d{6})(?:-(\d+))?$/.exec(name.slice(prefix.length))
      return match ? [{ name, stamp: match[1]!, number: Number(match[2] ?? 1) }] : []
    })
    .toSorted((left, right) => right.stamp.localeCompare(left.stamp) || right.number - left.number)
    .map(({ name }) => join(dirname(file), name))
}
