import { connect, type HubClient } from '#client/connect'
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
  let key = toKey(parseJson(readIfThere(config.paths.user)))
  const client = connect({ endpoint: async (how) => ({ ...(await locate(how)), key }) })
  try {
    const registered = await client.hub.peers.register.mutate({
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
    key = registered.key
    return await work(client.hub)
  } finally {
    await client.close()
  }
}

function toKey(card: unknown): string | undefined {
  const key = (card as { key?: unknown } | undefined)?.key
  return typeof key === 'string' ? key : undefined
}
