import { TRPCError } from '@trpc/server'
import { toName, toWantedNames } from '#db/names'
import type { Database } from '#db/open'
import type { SeatRow } from '#db/peer-rows'
import { escapeLine } from '#frame/escape'
import { shortenPath } from '#frame/home-path'
import { suggest } from '#machine/suggest'
import { LISTED_MS } from './scope.ts'

/** The most peers that an error names, and the most characters of a directory there: a model reads it. */
const MOST_NAMED = 10
const MOST_CHARS = 100

/**
 * Finds the peer of an address: `name`, `name@host` or a peer id, in any case, the name also as its repository is
 * written. A bare name means the sender's own machine first, then the one peer of the network with that name. Never
 * guesses: otherwise NOT_FOUND or BAD_REQUEST, whose message lists what could be meant.
 */
export function resolveAddress(database: Database, address: string, ownMachineId: string): SeatRow {
  const wanted = address.trim()
  const byId = database.peers.seat(wanted.toLowerCase())
  if (byId) return byId
  // What is left out of names is not guessed into one.
  if (/@@|@$/.test(wanted)) return notFound(database, address)
  const [name, host] = splitAddress(wanted)
  const isThere = (peer: SeatRow) => host === undefined || peer.host === host
  // A directory may have an @ in its name.
  const named = [name, wanted]
    .map((text, index) => findNamed(database, text).filter((peer) => index > 0 || isThere(peer)))
    .find((peers) => peers.length > 0)
  const matching = host === undefined ? preferOwn(named ?? [], ownMachineId) : (named ?? [])
  if (matching.length === 1) return matching[0]!
  if (matching.length === 0) return notFound(database, address)
  const more = matching.length - MOST_NAMED
  const candidates = matching.slice(0, MOST_NAMED).map(describe)
  throw new TRPCError({
    code: 'BAD_REQUEST',
    message: `"${shorten(address, 80)}" could be ${[...candidates, ...(more > 0 ? [`${more} more`] : [])].join(' or ')}: ${
      host === undefined ? 'use the full address or the id' : 'use the id'
    }.`,
  })
}

/** The peers of a name in its own spelling, else of what a repository that is written so would be called. */
function findNamed(database: Database, text: string): SeatRow[] {
  for (const name of toWantedNames(text)) {
    const found = database.peers.named(name)
    if (found.length > 0) return found
  }
  return []
}

/** The live sessions, other than the ones named `name`, in worktrees of a repository that is called so. */
export function findWorktrees(database: Database, name: string): SeatRow[] {
  const wanted = toWantedNames(name)
  return database.peers
    .online()
    .filter((peer) => peer.kind === 'session' && peer.repository !== null && !wanted.includes(peer.name))
    .filter(({ repository }) => wanted.includes(toName(toMainDirectory(repository!))))
}

/** Where a repository is known to be: its main worktree, else its bare directory without the ending. */
const toMainDirectory = (repository: string) => repository.replace(/([/\\]?\.git)[/\\]*$/, '')

/** A host is known by the form that names have: `Server.example.com` is `server-example-com`. */
function splitAddress(address: string): [string, string | undefined] {
  const at = address.lastIndexOf('@')
  if (at < 0) return [address, undefined]
  const host = address.slice(at + 1)
  return [address.slice(0, at), host && toName(host)]
}

function preferOwn(peers: SeatRow[], ownMachineId: string): SeatRow[] {
  const own = peers.filter((peer) => peer.machineId === ownMachineId)
  return own.length > 0 ? own : peers
}

function notFound(database: Database, address: string): never {
  const worktrees = findWorktrees(database, splitAddress(address.trim())[0])
  const isSession = (peer: SeatRow) => peer.kind === 'session'
  const listed = database.peers.list(database.now() - LISTED_MS)
  const online = listed.filter((peer) => isSession(peer) && peer.online)
  const gone = listed
    .filter((peer) => isSession(peer) && !peer.online)
    .toSorted((one, other) => other.seenAt - one.seenAt)
  const said = [
    `Nobody is called "${shorten(address, 80)}".`,
    ...(worktrees.length > 0 ? [`Worktrees of that repository run: ${listNames(worktrees)}.`] : []),
    ...describeNearest(address, [...online, ...gone]),
    online.length > 0 ? `Online are ${listNames(online)}.` : 'No session is online.',
    ...(gone.length > 0 ? [`Gone, but mail reaches them: ${listNames(gone)}.`] : []),
    ...(/[,[]/.test(address) ? ['For several peers, give a list of addresses.'] : []),
  ]
  throw new TRPCError({ code: 'NOT_FOUND', message: said.join(' ') })
}

/** The name, or the full address, that was most likely meant. */
function describeNearest(address: string, peers: SeatRow[]): string[] {
  const toKnown = ({ name, host }: SeatRow) => (address.includes('@') ? `${name}@${host}` : name)
  const meant = suggest(address, [...new Set(peers.map(toKnown))])
  return meant === undefined ? [] : [`Did you mean "${meant}"?`]
}

export function listNames(peers: SeatRow[]): string {
  const names = peers.slice(0, MOST_NAMED).map((peer) => `${peer.name}@${peer.host}`)
  const more = peers.length - names.length
  return `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

const describe = (peer: SeatRow) =>
  `${peer.name}@${peer.host} (${peer.id}, ${shorten(shortenPath(peer.cwd, peer.userHome), MOST_CHARS)})`

/** Somebody's words in an error, which cannot pass for more than words. */
const shorten = (text: string, length: number) =>
  escapeLine(text.length > length ? `${text.slice(0, length)}…` : text)
