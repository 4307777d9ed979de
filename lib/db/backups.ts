import { readdirSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** What the name of a backup adds to that of its database. */
const NAME = /\.(?:v2-)?backup-(\d{8}-\d{6})(?:-(\d+))?$/

/** How many backups are kept beside a database, whatever changed it. */
const KEPT = 3

/** Where a backup of this moment goes. */
export function backupName(file: string, label: 'backup' | 'v2-backup', now: number): string {
  const stamp = new Date(now).toISOString().replaceAll(/[-:]/g, '').replace('T', '-').slice(0, 15)
  return `${file}.${label}-${stamp}`
}

/** Where a backup of a database goes in another directory: as beside it, but for all to see. */
export function backupNameIn(directory: string, file: string, now: number): string {
  return backupName(join(directory, basename(file).replace(/^\.+(?=.)/, '')), 'backup', now)
}

/**
 * Removes all but the newest backups with the name of `made`, which is one of them, whatever the clock said; returns
 * those that it removed.
 */
export function pruneBackups(made: string, kept: number = KEPT): string[] {
  const file = made.replace(NAME, '')
  const older = listBackups(file).filter((path) => path !== made)
  return older.slice(kept - 1).filter((path) => {
    try {
      rmSync(path)
      return true
    } catch {
      // A backup too many is no reason not to serve.
      return false
    }
  })
}

/** Our backups of a database, newest first; files with any other name are somebody else's. */
function listBackups(file: string): string[] {
  const prefix = `${basename(file)}.`
  return readdirSync(dirname(file), { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.startsWith(prefix))
    .flatMap(({ name }) => {
      const match = NAME.exec(name.slice(prefix.length - 1))
      return match?.index === 0 ? [{ name, stamp: match[1]!, number: Number(match[2] ?? 1) }] : []
    })
    .toSorted((left, right) => right.stamp.localeCompare(left.stamp) || right.number - left.number)
    .map(({ name }) => join(dirname(file), name))
}
