import { describePeer } from '#frame/peer-text'
import { readPeers } from '../every-peer.ts'
import { printJson, printLines, printWords } from '../print.ts'
import { withHub } from '../session.ts'

/** Lists the seats: who is online, and who was here lately and has mail kept. */
export async function peers({ json }: { json?: boolean }): Promise<void> {
  const peers = await withHub(readPeers, { start: false })
  if (json) return printJson(peers)
  const now = Date.now()
  const online = peers.filter((peer) => peer.state === 'online')
  const offline = peers.filter((peer) => peer.state === 'offline')
  if (peers.length === 0)
    return printLines(['No session is known yet: start Claude Code after "claude-peers install".'])
  printWords([
    ...online.map((peer) => `● ${describePeer(peer, now)}`),
    ...offline.map((peer) => `○ ${describePeer(peer, now)}`),
  ])
}
