import { shortenPaths } from '#frame/home-path'
import { toPaths } from '#machine/paths'
import { join } from 'node:path'
import { migrateFile } from '#db/migrate'
import type { Config } from '#machine/config'
import { readMachineId } from '#machine/machine-id'
import { PACKAGE_ROOT } from '#machine/package'
import { claimDatabase } from './claim.ts'
import { withDatabase } from './database.ts'
import { findRunning } from './running.ts'
import { ClaimedError } from './start.ts'

/** Brings the database up to date without serving it, and says what it did. Rejects with ClaimedError while a hub runs, or DatabaseError. */
export async function migrateOnly(config: Config): Promise<number> {
  const { database: file } = config
  const claim = await withDatabase(file, () => claimDatabase(file))
  if (!claim) {
    const pid = (await findRunning(config))?.pid
    throw new ClaimedError(
      `The hub${pid ? ` (pid ${pid})` : ''} serves ${file}, and migrated it when it started. To do it by hand, stop the hub first: claude-peers stop.`,
    )
  }
  try {
    const result = await withDatabase(file, () =>
      migrateFile({
        file,
        folder: join(PACKAGE_ROOT, 'drizzle'),
        now: Date.now(),
        expireAfterMs: config.expireAfterMs,
        machine: { id: readMachineId(config.paths.machineId), host: config.host },
      }),
    )
    const kept = result.backup ? ` The file as it was is kept at ${result.backup}.` : ''
    process.stdout.write(shortenPaths(`${file}: ${TOLD[result.outcome]}.${kept}\n`, toPaths().home))
    return 0
  } finally {
    claim.release()
  }
}

const TOLD = {
  created: 'created',
  current: 'up to date, nothing to do',
  migrated: 'migrated',
  adopted: 'taken over from claude-peers v2, with all of its mail',
} as const
