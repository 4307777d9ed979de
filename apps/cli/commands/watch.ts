import { describePeer } from '#frame/peer-text'
import { toClock } from '#frame/time'
import type { PeersEvent } from '#router/shapes/peers'
import { printWords, toJson } from '../print.ts'
import { withHub } from '../session.ts'
import { describeEntry } from './log.ts'

/** Shows sessions and messages as they come, over restarts of the hub, until SIGINT, SIGTERM or a closed pipe. */
export async function watch({ json }: { json?: boolean }): Promise<void> {
  await withHub(
    async (hub) => {
      await hub.hub.health.query()
      const { promise: stopped, resolve: stop, reject: fail } = Promise.withResolvers<void>()
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop())
      const tell = (event: object, lines: string[]) =>
        json ? process.stdout.write(`${toJson(event)}\n`) : printWords(lines)

      /** A snapshot has begun, and goes on. */
      let isWithin = false
      const peers = hub.peers.watch.subscribe(undefined, {
        onData({ data }) {
          tell(data, describePeers({ ...data, isFirst: !isWithin }, Date.now()))
          isWithin = data.type === 'snapshot' && data.more
        },
        onError: fail,
      })
      const messages = hub.messages.watch.subscribe(undefined, {
        onData: ({ data }) => tell(data, [describeEntry(data.entry, Date.now())]),
        onError: fail,
      })
      await stopped
      peers.unsubscribe()
      messages.unsubscribe()
    },
    { start: false },
  )
}

function describePeers(event: PeersEvent & { isFirst: boolean }, now: number): string[] {
  if (event.type === 'snapshot') {
    const online = event.peers.filter((peer) => peer.state === 'online')
    if (online.length > 0) return online.map((peer) => `● ${describePeer(peer, now)}`)
    return event.isFirst && !event.more ? ['Nobody is online.'] : []
  }
  const sign = { joined: '+', changed: '~', left: '-' }[event.type]
  return [`${toClock(now, now)}  ${sign} ${describePeer(event.peer, now)}`]
}
