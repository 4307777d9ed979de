import { shortenPaths } from '#frame/home-path'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { BackupError, backUpDatabase } from '#db/backup'
import type { Config } from '#machine/config'
import { PACKAGE_ROOT } from '#machine/package'
import { makePrivateDir } from '#machine/paths'
import { withDatabase } from './database.ts'

/**
 * `--backup [--keep=<n>] [file or directory]`: backs the database up, whether a hub serves it or not, and says what was
 * made. Rejects with BackupError, DamagedDatabaseError or DatabaseError.
 */
export async function backUp(config: Config, args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    options: { backup: { type: 'boolean' }, keep: { type: 'string' } },
    allowPositionals: true,
  })
  const [given] = positionals
  const { database: file, paths } = config
  if (given === undefined) {
    makePrivateDir(paths.dir)
    makePrivateDir(paths.backups)
  }
  const target = given === undefined ? paths.backups : resolve(given)
  const folder = join(PACKAGE_ROOT, 'drizzle')
  const keep = values.keep === undefined ? undefined : toCount(values.keep)
  const made = await withDatabase(file, () => backUpDatabase({ file, folder, target, keep, now: Date.now() }))
  const removed = made.removed.map((path) => `Removed the older ${path}.\n`).join('')
  process.stdout.write(
    shortenPaths(
      `Backed up ${file} to ${made.path}: ${made.bytes} bytes, ${toMessages(made.waiting)} waiting.\n${removed}`,
      paths.home,
    ),
  )
  return 0
}

/** `1 message`, `2 messages`. */
export const toMessages = (count: number): string => `${count} ${count === 1 ? 'message' : 'messages'}`

function toCount(text: string): number {
  const count = Number(text)
  if (Number.isSafeInteger(count) && count > 0) return count
  throw new BackupError(`--keep takes how many backups stay, a whole number from 1: "${text}" is none.`)
}
