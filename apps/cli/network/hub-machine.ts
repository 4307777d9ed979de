import { readConfig, type Config } from '#machine/config'
import { ensureHub, findHub } from '#machine/hub-process'
import { endHub } from '../commands/stop.ts'
import { until } from '../until.ts'

/** The settings of the hub's own machine; on any other an error that says where to run the command. */
export function readHubConfig(command: string): Config {
  const config = readConfig()
  if (!config.remote) return config
  throw new Error(
    `This machine is joined to the hub at ${config.brokerUrl}: run "claude-peers hub ${command}" on that hub's machine.`,
  )
}

/** A service or a session that looks after the hub starts it again by itself: it is to stay theirs. */
const OTHERS_MS = 2_000

/** Stops the hub of this machine if it runs, and has it run with the settings as they are now. Says whether it ran. */
export async function restartHub(): Promise<boolean> {
  const config = readConfig()
  const ran = (await endHub(config)) !== undefined
  if (ran) await until(() => findHub(config), OTHERS_MS)
  await ensureHub(config)
  return ran
}
