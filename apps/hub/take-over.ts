import { setTimeout as wait } from 'node:timers/promises'
import { requestJson } from '#client/request'
import type { Config } from '#machine/config'
import { findHub } from '#machine/hub-process'
import { processOf } from '#machine/hub-identity'
import { isIdentical, isKnownToHaveEnded, type ProcessIdentity } from '#machine/processes'
import { MOUNT } from '#router/wire'
import { claimDatabase, type Claim } from './claim.ts'

const PATIENCE_MS = 10_000
/** The status with which a hub refuses to hand over. */
const PRECONDITION_FAILED = 412
/** Others start a hub when theirs goes away: whoever asks most often has the claim next. */
const POLL_MS = 5

export type TakeOverOptions = {
  /** The process of the hub that is to end. */
  older: ProcessIdentity
  /** `asked`: by a person; a hub in the foreground hands over to no other. */
  reason: 'asked' | 'handover'
  signal?: AbortSignal | undefined
}

/**
 * Claims the database from the hub that runs as the process `older`: asks it to stop, when everything is ready to take its
 * place, and waits for its claim. `undefined` when that hub refuses or does not let go, another has taken its place, or
 * the signal aborts.
 */
export async function takeOver(
  config: Config,
  { older, reason, signal }: TakeOverOptions,
): Promise<Claim | undefined> {
  const claim = claimDatabase(config.database)
  if (claim) return claim
  const found = await findHub(config)
  if (found && !isIdentical(processOf(found), older)) return undefined
  if (found) {
    const answer = await requestJson({
      method: 'POST',
      url: `${found.url}${MOUNT}hub.stop`,
      headers: { authorization: `Bearer ${found.token}` },
      // It is that process alone that is to end, and not the one that may have its port by now.
      body: { reason, process: older },
      timeoutMs: 1_000,
    }).catch(() => undefined)
    if (answer?.status === PRECONDITION_FAILED) return undefined
  }
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    if (signal?.aborted) return undefined
    const isOver = isKnownToHaveEnded(older) || performance.now() > deadline
    const released = claimDatabase(config.database)
    if (released || isOver) return released
    await wait(POLL_MS)
  }
}
