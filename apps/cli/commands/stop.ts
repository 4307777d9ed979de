import { TRPCClientError } from '@trpc/client'
import { readConfig, type Config } from '#machine/config'
import { explainAbsence, toUnseen } from '#machine/hub-absence'
import { askLocal, findHub, type HubAddress } from '#machine/hub-process'
import { canSee, isKnownToRun, type ProcessIdentity } from '#machine/processes'
import { readLiveRendezvous, readUnseenRendezvous } from '#machine/rendezvous'
import { printLines } from '../print.ts'
import { askToStop } from '../stop-hub.ts'
import { until } from '../until.ts'

/** How long a hub may take to end by a signal. */
const PATIENCE_MS = { signalled: 5_000, killed: 5_000 }
const STOPPED = 'No mail is lost; sessions that run start it again.'

/** Ends the hub and waits until its process is gone. Only the hub: sessions and their MCP servers live on. */
export async function stop(): Promise<void> {
  const config = readConfig()
  if (config.remote) {
    throw new Error(`The hub is on another machine (${config.brokerUrl}): run "claude-peers stop" there.`)
  }
  const said = await endHub(config)
  printLines([said === undefined ? 'No hub runs.' : `${said} ${STOPPED}`])
}

/** Ends the hub of this machine and says what was done; `undefined` when none runs. */
export async function endHub(config: Config): Promise<string | undefined> {
  for (let attempt = 1; ; attempt++) {
    // It may answer at another port than the configured one.
    const left = readLiveRendezvous(config.paths.rendezvous)
    const found = (await findHub(config)) ?? (left && (await askLocal(config, left.url)))
    if (!found && !left) return checkNone(config)
    try {
      if (found) return await stopHub(config, found)
      // Its pid and start time prove that the process is ours to end.
      await endProcess(config, left!)
      return `Ended the hub (pid ${left!.pid}), which did not answer.`
    } catch (cause) {
      // It ended meanwhile, and another has its port.
      if (!isOfAnother(cause) || attempt === MOST_ATTEMPTS) throw cause
    }
  }
}

const MOST_ATTEMPTS = 5

const isOfAnother = (cause: unknown) => cause instanceof TRPCClientError && cause.data?.code === 'CONFLICT'

async function stopHub(config: Config, found: HubAddress): Promise<string> {
  const { hasEnded, ...ending } = await askToStop(config, found)
  if (!hasEnded) await endProcess(config, ending)
  return `Stopped the hub (pid ${ending.pid}).`
}

async function checkNone(config: Config): Promise<undefined> {
  const { kind, reason } = await explainAbsence(config)
  if (kind === 'starting') throw new Error(reason)
  const unseen = readUnseenRendezvous(config.paths.rendezvous)
  if (unseen) throw new Error(toUnseen(unseen))
}

/** A kill at any instruction loses nothing that was acknowledged, so that it may follow when a polite end does not come. */
async function endProcess(config: Config, hub: ProcessIdentity) {
  const { pid } = hub
  if (!canSee(hub))
    throw new Error(
      `The hub (pid ${pid} in another container) was asked to stop and still runs: ${see(config)}`,
    )
  const isThere = () => isKnownToRun(hub)
  for (const [signal, patience] of [
    ['SIGTERM', PATIENCE_MS.signalled],
    ['SIGKILL', PATIENCE_MS.killed],
  ] as const) {
    if (!isThere()) return
    process.kill(pid, signal)
    if (await until(() => !isThere(), patience)) return
  }
  throw new Error(`The hub (pid ${pid}) was killed and is still there: ${see(config)}`)
}

const see = ({ paths }: Config) => `see ${paths.log}.`
