import semver from 'semver'
import type { Config } from '#machine/config'
import { VERSION } from '#machine/package'
import { toIdentity, type ProcessIdentity } from '#machine/processes'
import { findRunning } from './running.ts'

/**
 * The hub that one in the foreground takes the place of: one that a session started, as while the service was down. Not
 * another one in the foreground, nor a newer one, whose database this version may not understand.
 */
export async function findReplaceable(config: Config): Promise<ProcessIdentity | undefined> {
  const running = await findRunning(config)
  if (!running || running.foreground || running.database !== config.database) return undefined
  return semver.gt(running.version, VERSION) ? undefined : toIdentity(running)
}
