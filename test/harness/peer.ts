import { randomUUID } from 'node:crypto'
import { connect, type HubClient } from '../../lib/client/connect.ts'
import type { Endpoint } from '../../lib/client/endpoint.ts'
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
  /** Speaks for whoever holds that mailbox key. */
  as(key: string): HubClient['hub']
}

/** Takes a seat of that name at the running hub of a home, on its machine or another. */
export async function joinAs(
  home: Home,
  name: string,
  { machine }: { machine?: { id: string; host: string } } = {},
): Promise<TestPeer> {
  const config = readConfig(home.env, home.path)
  // It only looks for a hub: one that this process started would serve the home of whoever runs the tests.
  const find = () => waitFor(() => findHub(config), 'a hub')
  return openPeer(find, {
    machine: machine ?? { id: readMachineId(config.paths.machineId), host: config.host },
    root: `/peers/${name}`,
  })
}

/** Takes a seat in a directory, at the hub that `find` gives. */
export async function openPeer(
  find: () => Endpoint | Promise<Endpoint>,
  { machine, root }: { machine: { id: string; host: string }; root: string },
): Promise<TestPeer> {
  const clients: HubClient[] = []
  const as = (key?: string) => {
    const client = connect({ endpoint: async () => ({ ...(await find()), key }) })
    clients.push(client)
    return client.hub
  }
  const { key, peer } = await as().peers.register.mutate({
    machine,
    directory: root,
    root,
    isRepo: false,
    summary: '',
  })
  const hub = as(key)
  return {
    id: peer.id,
    key,
    hub,
    as,
    async send(to, message, options = {}) {
      const input = { to, message, idempotencyKey: randomUUID(), ...options }
      return (await hub.messages.send.mutate(input)).messageId
    },
    async stateOf(messageId) {
      return (await hub.messages.status.query({ messageId })).recipients[0]!.state
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(clients.map((client) => client.close()))
    },
  }
}
