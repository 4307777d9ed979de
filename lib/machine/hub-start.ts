/**
 * Starting the local hub. Many starters may race: each spawns a hub, the claim of the database lets exactly one serve,
 * the others leave at once, and every starter waits for the one that answers. A hub that is on its way out holds the
 * claim as well, so a starter whose hub left, and who finds none, spawns again.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { Config } from './config.ts'
import { HUB_EXIT } from './exit-codes.ts'
import type { HubAddress } from './hub-process.ts'
import { spawnHub, type SpawnedHub } from './hub-spawn.ts'
import { HubUnavailableError } from './hub-unavailable.ts'
import { isAtPort, toSilence } from './hub-absence.ts'
import { readRendezvous, type Rendezvous } from './rendezvous.ts'

export type StartOptions = {
  /** The hub that answers now. */
  find: () => Promise<HubAddress | undefined>
  /** The hub that runs, whether it answers or not: none can be started beside it. */
  isRunning: () => Rendezvous | undefined
  /** Whether the hub of this user answers at a URL. */
  isServing: (url: string) => Promise<boolean>
  /** Whether a hub that answers is to hand over to the one that is started here. */
  isOlder: (hub: HubAddress) => boolean
  /** The process of an older hub that was found. */
  replaces: number | undefined
}

/** A cold start takes some 300 ms; a migration of a large database, or a busy machine, takes longer. */
const START_TIMEOUT_MS = 15_000
const POLL_MS = 25
const FIRST_RETRY_MS = 250

/**
 * Starts a hub and waits until one answers. An older one that answers hands over, once: what takes its place is the
 * newest that there is. Rejects with HubUnavailableError.
 */
export async function startHub(config: Config, options: StartOptions): Promise<HubAddress> {
  const deadline = performance.now() + START_TIMEOUT_MS
  let { replaces } = options
  let hub: SpawnedHub | undefined
  let retryMs = FIRST_RETRY_MS
  let retryAt = performance.now()
  const spawnAgain = () => {
    hub?.dispose()
    hub = spawnHub(config, { replaces })
    retryAt = Number.POSITIVE_INFINITY
  }
  try {
    if (replaces !== undefined || !options.isRunning()) spawnAgain()
    for (;;) {
      const found = await options.find()
      if (found?.pid !== undefined && replaces === undefined && options.isOlder(found)) {
        // It was too busy to answer the first look.
        replaces = found.pid
        spawnAgain()
      } else if (found && (replaces === undefined || (found.pid ?? replaces) !== replaces)) return found
      // One that hangs is waited for: it may come to itself.
      const silent = replaces === undefined ? options.isRunning() : undefined
      if (performance.now() > deadline) {
        throw new HubUnavailableError(silent ? toSilence(silent) : toTimeout(config, replaces))
      }
      const ended = hub?.ended()
      if (ended && !ended.mayRetry) throw new HubUnavailableError(ended.reason)
      if (ended?.code === HUB_EXIT.claimed) await refuseElsewhere(config, options, ended.reason)
      if (ended && retryAt === Number.POSITIVE_INFINITY) {
        retryAt = performance.now() + retryMs
        retryMs *= 2
      }
      if (performance.now() > retryAt && !silent) spawnAgain()
      await wait(POLL_MS)
    }
  } finally {
    hub?.dispose()
  }
}

/** A hub that serves this database at another port will not come to ours, however long we wait. */
async function refuseElsewhere(config: Config, { isServing }: StartOptions, reason: string) {
  const left = readRendezvous(config.paths.rendezvous)
  if (!left || isAtPort(left.url, config)) return
  if (!(await isServing(left.url))) return
  throw new HubUnavailableError(
    `${reason} It runs at ${left.url} (pid ${left.pid}): use the same CLAUDE_PEERS_PORT, or stop it with claude-peers stop.`,
  )
}

function toTimeout({ paths }: Config, replaces: number | undefined): string {
  const seconds = START_TIMEOUT_MS / 1_000
  return replaces === undefined
    ? `The hub did not answer within ${seconds} s: see ${paths.log}.`
    : `The older hub (pid ${replaces}) did not hand over within ${seconds} s: stop it with claude-peers stop, or see ${paths.log}.`
}
