import semver from 'semver'
import type { Config } from '#machine/config'
import { VERSION } from '#machine/package'
import { readLiveRendezvous } from '#machine/rendezvous'

/**
 * The hub that one in the foreground takes the place of: one that a session started, as while the service was down. Not
 * another one in the foreground, nor a newer one, whose database this version may not understand.
 */
export function findReplaceable({ paths, database }: Config): number | undefined {
  const running = readLiveRendezvous(paths.rendezvous)
  if (!running || running.foreground || running.database !== database) return undefined
  return semver.gt(running.version, VERSION) ? undefined : running.pid
}
