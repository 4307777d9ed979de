import { TRPCError } from '@trpc/server'
import { toName } from '#db/names'
import type { Database } from '#db/open'
import type { SeatRow } from '#db/peer-rows'
import { escapeLine } from '#frame/escape'
import { LISTED_MS } from './scope.ts'

/** The most peers that an error names, and the most characters of a directory there: a model reads it. */
const MOST_NAMED = 10
const MOST_CHARS = 100

/**
 * Finds the peer of an address: `name`, `name@host` or a peer id, in any case. A bare name means the sender's own
 * machine first, then the one peer of the network with that name. Never guesses: otherwise NOT_FOUND or
 * BAD_REQUEST, whose message lists what could be meant.
 */
export function resolveAddress(database: Database, address: string, ownMachineId: string): SeatRow {
  const wanted = address.trim().toLowerCase()
  if (wanted.startsWith('p_')) return database.peers.seat(wanted) ?? notFound(database, address)
  const [name, host] = splitAddress(wanted)
  const named = database.peers.named(name)
  const matching =
    host === undefined ? preferOwn(named, ownMachineId) : named.filter((peer) => peer.host === host)
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
  const isSession = (peer: SeatRow) => peer.kind === 'session'
  const listed = database.peers.list(database.now() - LISTED_MS)
  const online = listed.filter((peer) => isSession(peer) && peer.online)
  const gone = listed
    .filter((peer) => isSession(peer) && !peer.online)
    .toSorted((one, other) => other.seenAt - one.seenAt)
  const said = [
    `Nobody is called "${shorten(address, 80)}".`,
    online.length > 0 ? `Online are ${listNames(online)}.` : 'No session is online.',
    ...(gone.length > 0 ? [`Gone, but mail reaches them: ${listNames(gone)}.`] : []),
    ...(/[,[]/.test(address) ? ['For several peers, give a list of addresses.'] : []),
  ]
  throw new TRPCError({ code: 'NOT_FOUND', message: said.join(' ') })
}

function listNames(peers: SeatRow[]): string {
  const names = peers.slice(0, MOST_NAMED).map((peer) => `${peer.name}@${peer.host}`)
  const more = peers.length - names.length
  return `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

const describe = (peer: SeatRow) => `${peer.name}@${peer.host} (${peer.id}, ${shorten(peer.cwd, MOST_CHARS)})`

/** Somebody's words in an error, which cannot pass for more than words. */
const shorten = (text: string, length: number) =>
  escapeLine(text.length > length ? `${text.slice(0, length)}…` : text)
