import { readPeers } from '../../every-peer.ts'
import { connect, type HubClient } from '#client/connect'
import type { Card } from '#machine/cards'
import type { Config } from '#machine/config'
import { findHub } from '#machine/hub-process'
import { askToStop } from '../../stop-hub.ts'
import { until } from '../../until.ts'
import { ok, toFix, unknown, type Line } from '../line.ts'
import type { ProbeSession } from './session.ts'

type Hub = HubClient['hub']

/** What is on offer to a hook that was killed comes back after the lease of 30 seconds. */
const PATIENCE = { mail: 35_000, seat: 5_000 }
const about = 'probe'

/** Ends the probe's session and takes its seat and mail away; ends the hub as well if that ran for the probe alone. */
export async function cleanUp({
  config,
  session,
  hadHub,
}: {
  config: Config
  session: ProbeSession
  hadHub: boolean
}): Promise<Line> {
  const card = session.card()
  await session.end()
  try {
    const removed = !card || (await removeSeat(card))
    if (!hadHub && !config.remote) await stopUnusedHub(config)
    if (removed) return ok(about, 'nothing of it is left')
    return unknown(about, `others wrote to its seat, ${card.name}: it is listed for 48 hours`)
  } catch (cause) {
    return toFix(about, `something of it is left: ${(cause as Error).message}`)
  }
}

/** Whether the seat could be removed; one that a session wrote to meanwhile stays. */
async function removeSeat({ hubUrl: url, token, key }: Card): Promise<boolean> {
  const client = connect({ endpoint: { url, token, key } })
  try {
    await until(() => takeMail(client.hub), PATIENCE.mail)
    const remove = () =>
      client.hub.peers.remove.mutate().then(
        () => true,
        () => false,
      )
    // Its link may close a moment after its process.
    return (await until(remove, PATIENCE.seat)) ?? false
  } finally {
    await client.close()
  }
}

/** Takes what did not get through; whether nothing is left. */
async function takeMail({ mailbox }: Hub): Promise<boolean> {
  const { offerId } = await mailbox.consume.mutate({ budget: 1_000_000 })
  if (offerId !== null) await mailbox.ack.mutate({ offerId })
  return (await mailbox.peek.query()).waiting === 0
}

async function stopUnusedHub(config: Config) {
  const found = await findHub(config)
  if (!found) return
  const client = connect({ endpoint: found })
  try {
    const peers = await readPeers(client.hub)
    if (peers.some((peer) => peer.state === 'online')) return
    await askToStop(config, found)
  } finally {
    await client.close()
  }
}
