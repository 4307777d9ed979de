import type { Config } from '#machine/config'
import type { HubIdentity } from '#machine/hub-identity'
import { findHub } from '#machine/hub-process'
import { readLiveRendezvous } from '#machine/rendezvous'

/**
 * The hub of this machine that runs: as it proves itself, or, where it does not answer, as it left it, as long as that
 * very process runs.
 */
export async function findRunning(
  config: Config,
): Promise<(Omit<HubIdentity, 'start'> & { start?: string | undefined }) | undefined> {
  const found = await findHub(config)
  if (!found) return readLiveRendezvous(config.paths.rendezvous)
  const { pid, database } = found
  return pid === undefined || database === undefined ? undefined : { ...found, pid, database }
}
