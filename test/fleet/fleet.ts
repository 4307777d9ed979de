import { runHub, type HubProcess } from '../harness/hub.ts'
import { startSession, type Session } from '../harness/session.ts'
import { openMachine, PORT, type Machine } from './machine.ts'
import { openNetwork, type Network } from './network.ts'

type Client = 'laptop' | 'desktop'

/** A hub on one computer, and two others whose sessions it serves. */
export type Fleet = AsyncDisposable & {
  network: Network<'hub' | Client | 'stranger'>
  hub: Machine
  laptop: Machine
  desktop: Machine
  /** Starts the hub's process, or the next one. */
  serve(): Promise<HubProcess>
  /** Starts a session in a repository of that name. */
  session(machine: Machine, project: string): Promise<Session>
}

/** The token that all have from their settings, as with claude-peers v2. */
export const SHARED_TOKEN = 'a-shared-token-of-the-fleet-tests'
export const HUB_URL = `http://100.64.0.1:${PORT}`

/** Makes the network and the users; no hub runs yet. */
export async function openFleet(): Promise<Fleet> {
  await using stack = new AsyncDisposableStack()
  const network = stack.use(await openNetwork('hub', 'laptop', 'desktop', 'stranger'))
  const token = SHARED_TOKEN
  const { hosts } = network
  const hub = stack.use(await openMachine(hosts.hub, { bind: hosts.hub.address, token }))
  const client = async (name: Client) =>
    stack.use(await openMachine(hosts[name], { broker_url: HUB_URL, token }))
  const laptop = await client('laptop')
  const desktop = await client('desktop')
  const own = stack.move()
  return {
    network,
    hub,
    laptop,
    desktop,
    serve: () => runHub(hub),
    session: async (machine, project) =>
      startSession(machine, { cwd: await machine.project(project, { git: true }) }),
    [Symbol.asyncDispose]: () => own.disposeAsync(),
  }
}
