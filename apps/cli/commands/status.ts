import semver from 'semver'
import { describePeer } from '#frame/peer-text'
import { toAge } from '#frame/time'
import { readConfig, type Config } from '#machine/config'
import { explainAbsence, explainDatabase } from '#machine/hub-absence'
import type { HubAddress } from '#machine/hub-process'
import { explainMovedDatabase } from '#machine/moved-database'
import { VERSION } from '#machine/package'
import { describeOlder } from '#machine/remote-hub'
import type { Stats } from '#router/shapes/hub'
import type { Peer } from '#router/shapes/peers'
import { readPeers } from '../every-peer.ts'
import { EXIT } from '../exit-codes.ts'
import { readKept, toKeptLines } from '../kept.ts'
import { printJson, printLines, printWords } from '../print.ts'
import { seeHub, type SeenHub } from '../seen-hub.ts'
import { sendWaiting } from '../waiting.ts'

type Options = { json?: boolean }

/** Shows the hub and everybody who is connected. It starts nothing: without a hub to use it says why, and exits with 3. */
export async function status(options: Options): Promise<void> {
  const config = readConfig()
  const seen = await seeHub(config, async (hub, found) => {
    // To look is no reason to fail.
    await sendWaiting(config, () => found).catch(() => undefined)
    return readPeers(hub)
  })
  if (seen) return showHub(config, seen, options)
  process.exitCode = EXIT.noHub
  const { reason, hub } = await explainAbsence(config)
  const kept = readKept(config)
  const { remote, host } = config
  const moved = remote ? undefined : explainMovedDatabase(config)
  const label = remote ? [`This machine is called ${host} there.`] : []
  if (!options.json)
    return printLines([reason, ...(moved ? [moved] : []), ...label, ...toKeptLines(kept, Date.now())])
  const running = hub ? { running: true, answers: false, pid: hub.pid } : { running: false }
  printJson({
    ...running,
    url: hub?.url ?? config.brokerUrl,
    reason,
    ...(moved && { moved }),
    ...(remote && { remote, host }),
    ...kept,
  })
}

function showHub(config: Config, { found, stats, rest: peers }: SeenHub<Peer[]>, { json }: Options) {
  const { url, database } = found
  const { remote, host } = config
  const trouble = explainDatabase(found, config)
  const moved = remote ? undefined : explainMovedDatabase(config)
  if (trouble) process.exitCode = EXIT.noHub
  const known = {
    remote,
    host,
    ...(database && { database }),
    ...(trouble && { trouble }),
    ...(moved && { moved }),
  }
  if (json) return printJson({ running: true, url, ...known, ...stats, list: peers, ...readKept(config) })
  const now = Date.now()
  const online = peers.filter((peer) => peer.state === 'online')
  const { queued, offered } = stats.deliveries
  printLines([
    ...[trouble, moved].filter((line) => line !== undefined),
    `Hub ${stats.version} at ${url}, pid ${stats.pid}, started ${toAge(stats.startedAt, now)}`,
    ...(isOutdated(found) ? [`This program is ${VERSION}: update the hub and restart its service.`] : []),
    ...describeReach(config, stats),
    ...(database ? [`Database: ${database}`] : []),
    `Mail: ${queued + offered} ${queued + offered === 1 ? 'message waits' : 'messages wait'}`,
    ...toKeptLines(readKept(config), now),
    online.length > 0 ? `Online: ${online.length}` : 'Nobody is online.',
  ])
  printWords(online.map((peer) => `- ${describePeer(peer, now)}`))
}

/** Any other local hub that is older hands over to the next command that needs it. */
const isOutdated = ({ foreground, version }: HubAddress) => foreground === true && semver.lt(version, VERSION)

/** Of a hub of another machine what this one is there, of our own where others reach it. */
function describeReach({ remote, host, brokerUrl }: Config, { reach, version }: Stats): string[] {
  if (remote) {
    const skew = semver.gt(VERSION, version) ? [describeOlder(brokerUrl, version)] : []
    return [`This machine has joined it and is called ${host}.`, ...skew]
  }
  if (reach.trouble !== null) return [reach.trouble]
  return reach.urls.length > 0 ? [`Other machines reach it at ${reach.urls.join(', ')}`] : []
}
