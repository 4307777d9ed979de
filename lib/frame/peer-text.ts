import type { Peer } from '#router/shapes/peers'
import { escapeLine } from './escape.ts'
import { toClock } from './time.ts'

/** One line about a peer: address, place, what it does, what waits for it. */
export function describePeer(peer: Peer, now: number): string {
  const safe = toSafePeer(peer)
  const waiting = `${peer.waiting} ${peer.waiting === 1 ? 'message waits' : 'messages wait'}`
  const isSession = safe.kind === 'session'
  const parts = [
    isSession ? safe.directory : '',
    isSession && safe.branch ? `branch ${safe.branch}` : '',
    safe.summary,
    peer.waiting > 0 ? waiting : '',
    isSession && peer.state === 'offline' ? `last seen ${toClock(peer.seenAt, now)}` : '',
  ]
  return `${safe.address}: ${parts.filter(Boolean).join(' · ')}`
}

/** A peer whose own words cannot pass for anything but words. */
export function toSafePeer(peer: Peer): Peer {
  const safe = (text: string | null) => text && escapeLine(text)
  return {
    ...peer,
    directory: escapeLine(peer.directory),
    repo: safe(peer.repo),
    branch: safe(peer.branch),
    summary: escapeLine(peer.summary),
  }
}
