import { connect } from '#client/connect'
import { describePeer } from '#frame/peer-text'
import { toAge } from '#frame/time'
import { readConfig } from '#machine/config'
import { findHub } from '#machine/hub-process'
import { EXIT } from '../exit.ts'
import { printJson, printLines } from '../print.ts'

/** Shows the hub and everybody who is connected. It starts nothing: without a hub it says so and exits with 3. */
export async function status({ json }: { json?: boolean }): Promise<void> {
  const config = readConfig()
  const found = await findHub(config)
  if (!found) {
    process.exitCode = EXIT.noHub
    if (json) return printJson({ running: false, url: config.brokerUrl })
    const next = config.remote
      ? 'Start it there, or check the network.'
      : 'It starts with the next session or "send".'
    return printLines([`No hub answers at ${config.brokerUrl}. ${next}`])
  }
  const client = connect({ endpoint: found })
  try {
    const [stats, { peers }] = await Promise.all([
      client.hub.hub.stats.query(),
      client.hub.peers.list.query(),
    ])
    if (json) return printJson({ running: true, url: found.url, ...stats, list: peers })
    const now = Date.now()
    const online = peers.filter((peer) => peer.state === 'online')
    const { queued, offered } = stats.deliveries
    printLines([
      `Hub ${stats.version} at ${found.url}, pid ${stats.pid}, started ${toAge(stats.startedAt, now)}`,
      `Mail: ${queued + offered} ${queued + offered === 1 ? 'message waits' : 'messages wait'}`,
      online.length > 0 ? `Online: ${online.length}` : 'Nobody is online.',
      ...online.map((peer) => `- ${describePeer(peer, now)}`),
    ])
  } finally {
    await client.close()
  }
}
