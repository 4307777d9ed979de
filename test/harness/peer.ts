import { randomUUID } from 'node:crypto'
import { connect, type HubClient } from '../../lib/client/connect.ts'
import { readConfig } from '../../lib/machine/config.ts'
import { findHub } from '../../lib/machine/hub-process.ts'
import { readMachineId } from '../../lib/machine/machine-id.ts'
import type { Home } from './home.ts'
import { waitFor } from './wait.ts'

export type SendOptions = { urgency?: 'normal' | 'fyi'; replyTo?: number }

/** A peer that speaks through the typed client, without a session; it finds a hub that was started again. */
export type TestPeer = AsyncDisposable & {
  id: string
  key: string
  hub: HubClient['hub']
  /** Sends, and gives the message's id. */
  send(to: string, message: string, options?: SendOptions): Promise<number>
  /** Where what it sent stands with its (first) recipient. */
  stateOf(messageId: number): Promise<string>
}

/** Takes a seat of that name at the running hub of a home, on its machine or another. */
export async function joinAs(
  home: Home,
  name: string,
  { machine }: { machine?: { id: string; host: string } } = {},
): Promise<TestPeer> {
  const config = readConfig(home.env, home.path)
  let key: string | undefined
  // It only looks for a hub: one that this process started would serve the home of whoever runs the tests.
  const endpoint = async () => ({ ...(await waitFor(() => findHub(config), 'a hub')), key })
  const client = connect({ endpoint })
  const registered = await client.hub.peers.register.mutate({
    machine: machine ?? { id: readMachineId(config.paths.machineId), host: config.host },
    directory: `/peers/${name}`,
    root: `/peers/${name}`,
    isRepo: false,
    summary: '',
  })
  key = registered.key
  return {
    id: registered.peer.id,
    key,
    hub: client.hub,
    async send(to, message, options = {}) {
      const input = { to, message, idempotencyKey: randomUUID(), ...options }
      return (await client.hub.messages.send.mutate(input)).messageId
    },
    async stateOf(messageId) {
      return (await client.hub.messages.status.query({ messageId })).recipients[0]!.state
    },
    [Symbol.asyncDispose]: () => client.close(),
  }
}
