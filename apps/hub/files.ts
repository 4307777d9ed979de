import { statSync } from 'node:fs'
import type { Config } from '#machine/config'
import { isAlive } from '#machine/processes'
import { readRendezvous, writeRendezvous, type Rendezvous } from '#machine/rendezvous'
import { restoreToken } from '#machine/token'

/**
 * Watches over what the hub has on the disk. `check` puts back what its clients need to find it, and returns whether
 * the database and its claim are still the files that the hub has open: if somebody took them away, the hub would go
 * on writing where nobody will ever read, and a second hub could start beside it.
 */
export function watchFiles(
  { paths, database }: Config,
  { rendezvous, token }: { rendezvous: Rendezvous; token: string },
): { check(): boolean } {
  const files = [database, `${database}.lock`]
  const before = files.map(toIdentity)
  return {
    check() {
      if (files.some((file, index) => toIdentity(file) !== before[index])) return false
      const left = readRendezvous(paths.rendezvous)
      if (!left || !isAlive(left.pid)) writeRendezvous(paths.rendezvous, rendezvous)
      restoreToken(paths.token, token)
      return true
    },
  }
}

function toIdentity(file: string): bigint | undefined {
  return statSync(file, { bigint: true, throwIfNoEntry: false })?.ino
}
