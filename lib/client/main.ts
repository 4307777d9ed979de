/** What `claude-peers/client` exports: a typed client of the hub for other programs. */
import { readConfig } from '#machine/config'
import { locateHub } from '#machine/hub-process'
import { readMachineId } from '#machine/machine-id'
import type { EndpointSource } from './endpoint.ts'
import { connect, type ConnectOptions, type HubClient } from './connect.ts'

export { newKey } from './key.ts'
export { connect, type ConnectOptions, type HubClient } from './connect.ts'
export type { Endpoint, EndpointSource } from './endpoint.ts'
export type { AppRouter } from '#router/router'

/**
 * Connects to the hub of this user, as the sessions do: the one in `~/.claude-peers.json`, or the local one, which is
 * started if need be. Pass the `key` that `peers.register` returned to speak for a peer. Rejects with an Error that
 * says what to do when there is no hub to talk to.
 */
export async function connectToHub(
  options: Omit<ConnectOptions, 'endpoint'> & { key?: string } = {},
): Promise<HubClient> {
  const { key, ...rest } = options
  const locate = locateHub(readConfig())
  await locate({ fresh: true })
  const endpoint: EndpointSource = async (how) => ({ ...(await locate(how)), key })
  return connect({ ...rest, endpoint })
}

/** What `peers.register` is to know of this machine: its id, its label in addresses, the home directory of its user. */
export function readMachine(): { id: string; host: string; home: string } {
  const { paths, host } = readConfig()
  return { id: readMachineId(paths.machineId), host, home: paths.home }
}
