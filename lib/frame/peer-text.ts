import type { Peer } from '#router/shapes/peers'
import { escapeAttribute } from './escape.ts'
import { toClock } from './time.ts'

/** One line about a peer: address, place, what it does, what waits for it. */
export function describePeer(peer: Peer, now: number): string {
  const safe = toSafePeer(peer)
  const parts = [
    safe.kind === 'user' ? 'the person at this machine' : safe.directory,
    safe.branch && safe.kind === 'session' ? `branch ${safe.branch}` : '',
    safe.summary,
    peer.waiting > 0 ? `${peer.waiting} ${peer.waiting === 1 ? 'message waits' : 'messages wait'}` : '',
    peer.state === 'offline' && safe.kind === 'session' ? `last seen ${toClock(peer.seenAt, now)}` : '',
  ]
  return `${safe.address}: ${parts.filter(Boolean).join(' · ')}`
}

/** A peer whose own words cannot pass for anything but words. */
export function toSafePeer(peer: Peer): Peer {
  const safe = (text: string | null) => text && escapeAttribute(text)
  return {
    ...peer,
    directory: escapeAttribute(peer.directory),
    repo: safe(peer.repo),
    branch: safe(peer.branch),
    summary: escapeAttribute(peer.summary),
  }
}
