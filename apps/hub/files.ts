import { existsSync, statSync } from 'node:fs'
import type { InPlace } from '#db/in-place'
import type { Config } from '#machine/config'
import { noteMovedDatabase } from '#machine/moved-database'
import { canSee, isKnownToHaveEnded } from '#machine/processes'
import { readRendezvous, writeRendezvous, type Rendezvous } from '#machine/rendezvous'
import { readToken, restoreToken } from '#machine/token'

/** Why a hub ends by itself. */
export const DATABASE_GONE = 'its database was taken away'
export const LOG_GONE = 'its write-ahead log was taken away'
export const TOKEN_CHANGED = 'its token was changed'
export type EndReason = typeof DATABASE_GONE | typeof LOG_GONE | typeof TOKEN_CHANGED

/**
 * Watches over what the hub has on the disk. `check` puts back what its clients need to find it, and tells why it must
 * end: when the database or its claim are no longer the files that the hub has open, it would go on writing where
 * nobody will ever read, and a second hub could start beside it; when the token is another one, no client knows it.
 */
export function watchFiles(
  config: Config,
  { rendezvous, token, inPlace }: { rendezvous: Rendezvous; token: string; inPlace: InPlace },
): { check(): EndReason | undefined } {
  const { paths, database } = config
  const files = [database, `${database}.lock`]
  const before = files.map(toIdentity)
  // What a hub of another pid namespace left cannot be looked at, but this hub has the claim of the database that it served.
  const isStale = (left: Rendezvous | undefined) =>
    !left || isKnownToHaveEnded(left) || (!canSee(left) && left.database === database)
  return {
    check() {
      if (files.some((file, index) => toIdentity(file) !== before[index])) {
        const movedTo = inPlace.findMoved()
        if (movedTo && movedTo !== database && existsSync(paths.dir)) noteMovedDatabase(config, movedTo)
        return DATABASE_GONE
      }
      // By then everything is in the database itself; the next hub has a log with a name.
      if (!inPlace.secure()) return LOG_GONE
      if ((readToken(paths.token) ?? token) !== token) return TOKEN_CHANGED
      const left = readRendezvous(paths.rendezvous)
      if (isStale(left)) writeRendezvous(paths.rendezvous, rendezvous)
      restoreToken(paths.token, token)
      return undefined
    },
  }
}

function toIdentity(file: string): bigint | undefined {
  return statSync(file, { bigint: true, throwIfNoEntry: false })?.ino
}
