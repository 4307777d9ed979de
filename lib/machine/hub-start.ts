/**
 * Starting the local hub. Many starters may race: each spawns a hub, the claim of the database lets exactly one serve,
 * the others leave at once, and every starter waits for the one that answers. A hub that is on its way out holds the
 * claim as well, so a starter whose hub left, and who finds none, spawns again.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { Config } from './config.ts'
import { HUB_EXIT } from './exit-codes.ts'
import { processOf } from './hub-identity.ts'
import type { HubAddress } from './hub-process.ts'
import { spawnHub, type SpawnedHub } from './hub-spawn.ts'
import { HubUnavailableError } from './hub-unavailable.ts'
import { isAtPort, toSilence } from './hub-absence.ts'
import { isIdentical, type ProcessIdentity } from './processes.ts'
import { readRendezvous, type Rendezvous } from './rendezvous.ts'

export type StartOptions = {
  /** The hub that answers now. */
  find: () => Promise<HubAddress | undefined>
  /** The hub that runs, whether it answers or not: none can be started beside it. */
  isRunning: () => Rendezvous | undefined
  /** The hub of this user that answers at a URL. */
  ask: (url: string) => Promise<HubAddress | undefined>
  /** Whether a hub that answers is to hand over to the one that is started here. */
  isOlder: (hub: HubAddress) => boolean
  /** The process of an older hub that was found. */
  replaces: ProcessIdentity | undefined
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
  let winner: ProcessIdentity | undefined
  let retryMs = FIRST_RETRY_MS
  let retryAt = performance.now()
  const spawnAgain = () => {
    hub?.dispose(undefined)
    hub = spawnHub(config, { replaces })
    retryAt = Number.POSITIVE_INFINITY
  }
  try {
    if (replaces !== undefined || !options.isRunning()) spawnAgain()
    for (;;) {
      const found = await options.find()
      const serving = found && processOf(found)
      if (serving && replaces === undefined && options.isOlder(found)) {
        // It was too busy to answer the first look.
        replaces = serving
        spawnAgain()
      } else if (serving && !isIdentical(serving, replaces)) {
        winner = serving
        return found
      }
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
    hub?.dispose(winner)
  }
}

/** A hub that serves this database at another port will not come to ours, however long we wait. */
async function refuseElsewhere(config: Config, { ask }: StartOptions, reason: string) {
  const left = readRendezvous(config.paths.rendezvous)
  if (!left || isAtPort(left.url, config)) return
  const found = await ask(left.url)
  if (!found) return
  throw new HubUnavailableError(
    `${reason} It runs at ${found.url} (pid ${found.pid}): use the same "port" in ~/.claude-peers.json (or CLAUDE_PEERS_PORT), or stop it with claude-peers stop.`,
  )
}

function toTimeout({ paths }: Config, replaces: ProcessIdentity | undefined): string {
  const seconds = START_TIMEOUT_MS / 1_000
  return replaces === undefined
    ? `The hub did not answer within ${seconds} s: see ${paths.log}.`
    : `The older hub (pid ${replaces.pid}) did not hand over within ${seconds} s: stop it with claude-peers stop, or see ${paths.log}.`
}
