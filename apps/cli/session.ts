import { setTimeout as wait } from 'node:timers/promises'
import { connect, type HubClient } from '#client/connect'
import { judge } from '#client/verdict'
import { readConfig, type Config } from '#machine/config'
import { locateHub } from '#machine/hub-process'
import { readUserKey, takeUserSeat } from '#machine/user-seat'
import { sendWaiting } from './waiting.ts'

/** A client of the hub that speaks for nobody; the hub is started if need be. Closed when `work` settles. */
export async function withHub<T>(work: (hub: HubClient['hub'], config: Config) => Promise<T>): Promise<T> {
  const config = readConfig()
  const locate = locateHub(config)
  await sendWaiting(config, locate)
  const client = connect({ endpoint: locate })
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
  await sendWaiting(config, locate)
  let key: string | undefined
  const client = connect({ endpoint: async (how) => ({ ...(await locate(how)), key }) })
  try {
    for (let attempt = 1; ; attempt++) {
      key = readUserKey(config)
      key = await takeUserSeat(client.hub, config, key)
      try {
        return await work(client.hub)
      } catch (cause) {
        // Another command that also found no valid key has taken the seat anew; one of them comes last.
        if (judge(cause) !== 'unknown' || attempt === MOST_ATTEMPTS) throw cause
        await wait(Math.random() * PAUSE_MS)
      }
    }
  } finally {
    await client.close()
  }
}

const MOST_ATTEMPTS = 20
const PAUSE_MS = 100
