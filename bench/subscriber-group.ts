/** Live subscribers of a hub or of another server, in a process of their own. */
import { toHeaders } from '../lib/client/endpoint.ts'
import { startChild, type Child } from './child.ts'
import type { HubPlace, Seat } from './load.ts'

export type Feed = 'peers.watch' | 'mailbox.watch'

const greet = (path: Feed) =>
  JSON.stringify({ id: 1, jsonrpc: '2.0', method: 'subscription', params: { path } })

/** A process without sockets yet. */
export const startSubscribers = (): Child => startChild('fixture/subscribers.ts')

/** Opens so many subscriptions to everybody's presence, and resolves once each was told who is there. */
export function watchPeers(child: Child, { url, token }: HubPlace, count: number): Promise<number> {
  const headers = Array.from({ length: count }, () => toHeaders({ url, token }))
  return child.call('open', {
    url: toSocketUrl(url),
    headers,
    greeting: greet('peers.watch'),
    heard: 'snapshot',
  })
}

/** Opens the link of a session for each seat, and resolves once each was told what waits. */
export function watchMailboxes(child: Child, { url, token }: HubPlace, seats: Seat[]): Promise<number> {
  const headers = seats.map(({ key }) => toHeaders({ url, token, key }))
  return child.call('open', {
    url: toSocketUrl(url),
    headers,
    greeting: greet('mailbox.watch'),
    heard: 'waiting',
  })
}

/** Opens sockets that say nothing, to a server that tells everybody the same. */
export const listenTo = (child: Child, url: string, count: number): Promise<number> =>
  child.call('open', { url: url.replace(/^http/, 'ws'), headers: Array.from({ length: count }, () => ({})) })

/** The ms from the call of `change` until the last subscriber was told something with the marker in it. */
export async function timeToLast(
  child: Child,
  marker: string,
  change: () => Promise<unknown>,
): Promise<number> {
  await child.call('expect', marker)
  const told = child.call<number>('told')
  const start = performance.timeOrigin + performance.now()
  await change()
  return (await told) - start
}

const toSocketUrl = (url: string) => `${url.replace(/^http/, 'ws')}/trpc`
