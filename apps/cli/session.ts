import { setTimeout as wait } from 'node:timers/promises'
import { connect, type HubClient } from '#client/connect'
import type { EndpointSource } from '#client/endpoint'
import { judge } from '#client/verdict'
import { readConfig, type Config } from '#machine/config'
import { explainAbsence, explainDatabase } from '#machine/hub-absence'
import { findHub, HubUnavailableError, locateHub, type HubAddress } from '#machine/hub-process'
import { readUserKey, takeUserSeat } from '#machine/user-seat'
import { sendWaiting } from './waiting.ts'

type Hub = HubClient['hub']
/** `start`: whether the hub of this machine is started where none runs. A look never does. */
type Options = { start: boolean }

/**
 * A client of the hub, with the mailbox key of the person at this machine where one was kept; nothing is registered. Closed
 * when `work` settles. Rejects with HubUnavailableError where there is no hub.
 */
export async function withHub<T>(
  work: (hub: Hub, config: Config) => Promise<T>,
  { start }: Options,
): Promise<T> {
  const config = readConfig()
  const locate = toSource(config, start)
  await sendWaiting(config, locate)
  const key = readUserKey(config)
  const client = connect({ endpoint: async (how) => ({ ...(await locate(how)), key }) })
  try {
    return await work(client.hub, config)
  } finally {
    await client.close()
  }
}

/** The same, speaking for the person at this machine, `user@<host>`, whose seat is taken. */
export async function withUser<T>(work: (hub: Hub) => Promise<T>, { start }: Options): Promise<T> {
  const config = readConfig()
  const locate = toSource(config, start)
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
        // Another command that also found no valid key has taken the seat; one of them comes last.
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

/** A hub of another machine is never started, and says itself why it cannot be had. */
function toSource(config: Config, start: boolean): EndpointSource {
  if (start || config.remote) return locateHub(config)
  let known: HubAddress | undefined
  return async ({ fresh }) => {
    if (fresh || !known) known = await look(config)
    return known
  }
}

async function look(config: Config): Promise<HubAddress> {
  const found = await findHub(config)
  if (!found) throw new HubUnavailableError((await explainAbsence(config)).reason)
  const trouble = explainDatabase(found, config)
  if (trouble) throw new HubUnavailableError(trouble)
  return found
}
