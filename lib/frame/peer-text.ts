import { shortenPath } from './home-path.ts'
import type { Peer } from '#router/shapes/peers'
import { escapeLine } from './escape.ts'
import { toClock } from './time.ts'

/** What a peer does, in words that are true at `now`, with times of this machine. */
export function describeState(peer: Peer, now: number): string {
  if (peer.kind === 'user') return 'reads an inbox'
  if (peer.state === 'offline') return `gone since ${toClock(peer.seenAt, now)}`
  if (peer.obstacle === 'no-hooks') return 'online, gets mail only when it calls check_messages'
  if (peer.activity === 'idle') return describeIdle(peer)
  if (peer.obstacle === 'dialog') return 'waits for its user'
  if (peer.headless) return 'headless'
  return peer.activity ?? 'online'
}

function describeIdle({ obstacle, headless, wakeable }: Peer): string {
  if (obstacle === 'unproven') return 'online, no hook has run in it yet'
  if (obstacle === 'stream') return 'headless, waits for a prompt'
  if (headless) return 'headless'
  return wakeable ? 'idle, mail wakes it' : 'idle, mail does not wake it'
}

/** One line about a peer: address, what it does, place, what it works on, what waits for it. */
export function describePeer(peer: Peer, now: number): string {
  const safe = toSafePeer(toHomely(peer))
  const waiting = `${peer.waiting} ${peer.waiting === 1 ? 'message waits' : 'messages wait'}`
  const isSession = safe.kind === 'session'
  const parts = [
    isSession ? describeState(peer, now) : '',
    isSession ? safe.directory : '',
    isSession && safe.branch ? `branch ${safe.branch}` : '',
    isSession ? safe.summary : `the person at ${escapeLine(peer.host)}`,
    peer.waiting > 0 ? waiting : '',
  ]
  return `${safe.address}: ${parts.filter(Boolean).join(' · ')}`
}

/** A peer with the paths below its user's home as a person reads them. */
export function toHomely(peer: Peer): Peer {
  const { directory, repo, home } = peer
  return { ...peer, directory: shortenPath(directory, home), repo: repo && shortenPath(repo, home) }
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
