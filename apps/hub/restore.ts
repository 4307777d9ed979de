import { shortenPaths } from '#frame/home-path'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { BackupError } from '#db/backup'
import { checkSource, restoreDatabase, type Restored } from '#db/restore'
import type { Config } from '#machine/config'
import { readMachineId } from '#machine/machine-id'
import { PACKAGE_ROOT } from '#machine/package'
import { makePrivateDir } from '#machine/paths'
import { toIdentity } from '#machine/processes'
import { findRunning } from './running.ts'
import { toMessages } from './backup.ts'
import { claimDatabase, type Claim } from './claim.ts'
import { withDatabase } from './database.ts'
import { ClaimedError } from './start.ts'
import { takeOver } from './take-over.ts'

/**
 * `--restore [--stop] <file>`: puts a backup in the place of the database, and says what it did. With `--stop` it ends the
 * hub that serves it and takes its claim, before a session starts another. Rejects with ClaimedError while one serves,
 * BackupError, DamagedDatabaseError, NewerDatabaseError or DatabaseError; everything is then as it was.
 */
export async function restore(config: Config, args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    options: { restore: { type: 'boolean' }, stop: { type: 'boolean' } },
    allowPositionals: true,
  })
  const [given] = positionals
  if (given === undefined) throw new BackupError('Name the backup: claude-peers restore <file>.')
  const from = resolve(given)
  const { database: file, paths } = config
  checkSource(from, file)
  makePrivateDir(paths.dir)
  const held = await claim(config, values.stop ?? false)
  try {
    const folder = join(PACKAGE_ROOT, 'drizzle')
    const machineId = readMachineId(paths.machineId)
    const restored = await withDatabase(file, () =>
      restoreDatabase({
        file,
        folder,
        from,
        machineId,
        now: Date.now(),
        expireAfterMs: config.expireAfterMs,
      }),
    )
    process.stdout.write(shortenPaths(`${describe(restored, { file, from }).join('\n')}\n`, paths.home))
    return 0
  } finally {
    held.release()
  }
}

async function claim(config: Config, stop: boolean): Promise<Claim> {
  const { database: file } = config
  const running = await findRunning(config)
  const taken = await withDatabase(file, () =>
    stop && running ? takeOver(config, { older: toIdentity(running), reason: 'asked' }) : claimDatabase(file),
  )
  if (taken) return taken
  const hub = `The hub${running ? ` (pid ${running.pid})` : ''} serves ${file}`
  throw new ClaimedError(
    stop
      ? `${hub} and did not stop: end it, then restore again. Nothing was changed.`
      : `${hub}: nothing was restored. With --stop it is stopped first, and sessions cannot start it again meanwhile.`,
  )
}

function describe(restored: Restored, { file, from }: { file: string; from: string }): string[] {
  const { waiting, applied, kept, knowsMachine, nextMessageId, unchecked } = restored
  const marked = waiting === 0 ? '' : ', marked as possibly seen before'
  return [
    `Restored ${file} from ${from}: ${toMessages(waiting)} waiting${marked}.`,
    `What was sent or read after the backup was made is not in it. New messages are numbered from ${nextMessageId} on.`,
    ...(applied > 0 ? [`It was of an older version, and was migrated (${applied}).`] : []),
    ...(kept === undefined ? [] : [`The database as it was is kept at ${kept}.`]),
    ...(knowsMachine
      ? []
      : [
          'No session of this machine has a seat in it: they get new ones. Those of other machines keep theirs.',
        ]),
    ...(unchecked.length === 0
      ? []
      : [
          `The tokens of these machines are valid, as they were in the backup: ${unchecked.join(', ')}. Revoke again what was revoked since: claude-peers hub revoke <label>.`,
        ]),
    'The hub starts with the next session or command that needs it, or as a service when you start that.',
  ]
}
