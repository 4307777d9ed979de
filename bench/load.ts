/** Calls to a hub, many at once. */
import { randomUUID } from 'node:crypto'
import { Agent } from 'node:http'
import { exchange, type Call } from '../lib/client/exchange.ts'
import { newKey } from '../lib/client/key.ts'
import { timed } from './measure.ts'

/** Where a hub is, and what opens it. */
export type HubPlace = { url: string; token: string }
export type Pool = Disposable & {
  /** Calls a procedure for the holder of a mailbox key, and gives the data of its answer. Rejects when it is refused. */
  call<T = unknown>(path: string, body: object, key?: string): Promise<T>
  /** Asks a query. */
  ask<T = unknown>(path: string, input: object | undefined, key?: string): Promise<T>
}

/** Opens kept connections to a hub, at most so many. */
export function openPool({ url, token }: HubPlace, connections: number): Pool {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const agents = { of: () => agent, drop: () => undefined, close: () => agent.destroy() }
  const speak = <T>(
    type: Call['type'],
    { path, input, key }: { path: string; input: unknown; key?: string | undefined },
  ) => {
    const endpoint = () => ({ url, token, key })
    const { signal } = new AbortController()
    return exchange({ type, path, input }, { endpoint, timeoutMs: 30_000, agents, signal }) as Promise<T>
  }
  return {
    call: (path, input, key) => speak('mutation', { path, input, key }),
    ask: (path, input, key) => speak('query', { path, input, key }),
    [Symbol.dispose]: agents.close,
  }
}

/** A seat to send from and to read: its id is an address, its key opens its mailbox. */
export type Seat = { id: string; key: string }

/** Takes seats at a hub, of sessions that never connect. */
export async function takeSeats(pool: Pool, count: number, prefix: string): Promise<Seat[]> {
  const seats: Seat[] = []
  await inParallel(32, count, async (_, number) => {
    const directory = `/bench/${prefix}-${number}`
    const { peer, key } = await pool.call<{ peer: { id: string }; key: string }>('peers.register', {
      machine: { id: 'bench-machine', host: 'bench' },
      directory,
      root: directory,
      isRepo: false,
      summary: 'Working on a benchmark',
    })
    seats[number] = { id: peer.id, key }
  })
  return seats
}

/** Does `count` things, by so many clients at once, each of them one after the other. `call` gets client and number. */
export async function inParallel(
  clients: number,
  count: number,
  call: (client: number, number: number) => Promise<unknown>,
): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      while (next < count) await call(client, next++)
    }),
  )
}

/** The time, in ms, in which so many clients do `count` things. */
export const spread = (clients: number, count: number, call: (client: number) => Promise<unknown>) =>
  timed(() => inParallel(clients, count, call))

/** 300 characters that were not said before: a repetition would be refused. */
export const newText = (): string => randomUUID().padEnd(300, 'x')

/** A message that was not sent before. */
export const newDraft = (to: string, message = newText()) => ({ to, message, idempotencyKey: newKey() })

/** Sends a new message. */
export const sendMail = (pool: Pool, sender: Seat, to: string) =>
  pool.call('messages.send', newDraft(to), sender.key)

/** Takes what waits in a mailbox and acknowledges it; gives the ids of the messages. */
export async function takeMail(pool: Pool, { key }: Seat): Promise<number[]> {
  const { offerId, messages } = await pool.call<{ offerId: string | null; messages: { id: number }[] }>(
    'mailbox.consume',
    { budget: 8_000 },
    key,
  )
  if (offerId !== null) await pool.call('mailbox.ack', { offerId }, key)
  return messages.map(({ id }) => id)
}
