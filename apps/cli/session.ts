import { setTimeout as wait } from 'node:timers/promises'
import { connect, type HubClient } from '#client/connect'
import { isUnknownKey } from '#client/unknown-key'
import { readConfig, type Config } from '#machine/config'
import { locateHub } from '#machine/hub-process'
import { parseJson, readIfThere, writePrivate } from '#machine/files'
import { readMachineId } from '#machine/machine-id'
import { makePrivateDir } from '#machine/paths'

/** A client of the hub that speaks for nobody; the hub is started if need be. Closed when `work` settles. */
export async function withHub<T>(work: (hub: HubClient['hub'], config: Config) => Promise<T>): Promise<T> {
  const config = readConfig()
  const client = connect({ endpoint: locateHub(config) })
  try {
    return await work(client.hub, config)
  } finally {
    await client.close()
  }
}

/** The same, speaking for the person at this machine, `user@<host>`. */
export async function withUser<T>(work: (hub: HubClient['hub']) => Promise<T>): Promise<T> {
  const config = readConfig()
  const locate = locateHub(config)
  let key: string | undefined
  const client = connect({ endpoint: async (how) => ({ ...(await locate(how)), key }) })
  try {
    for (let attempt = 1; ; attempt++) {
      key = toKey(parseJson(readIfThere(config.paths.user)))
      key = await takeSeat(client.hub, config, key)
      try {
        return await work(client.hub)
      } catch (cause) {
        // Another command that also found no valid key has taken the seat anew; one of them comes last.
        if (!isUnknownKey(cause) || attempt === MOST_ATTEMPTS) throw cause
        await wait(Math.random() * PAUSE_MS)
      }
    }
  } finally {
    await client.close()
  }
}

const MOST_ATTEMPTS = 20
const PAUSE_MS = 100

/** The person's seat: its key is kept beside the hub's token, and proven with every registration. */
async function takeSeat(hub: HubClient['hub'], config: Config, key: string | undefined): Promise<string> {
  const registered = await hub.peers.register.mutate({
    machine: { id: readMachineId(config.paths.machineId), host: config.host },
    kind: 'user',
    directory: config.paths.home,
    root: config.paths.home,
    isRepo: false,
    summary: 'the person at this machine',
  })
  if (registered.key !== key) {
    makePrivateDir(config.paths.dir)
    writePrivate(config.paths.user, JSON.stringify({ key: registered.key }))
  }
  return registered.key
}

function toKey(card: unknown): string | undefined {
  const key = (card as { key?: unknown } | undefined)?.key
  return typeof key === 'string' ? key : undefined
}
