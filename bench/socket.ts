/** Calls over a WebSocket that stays open, framed as a stock `wsLink` does: one connection speaks for one seat. */
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { toHeaders } from '../lib/client/endpoint.ts'
import type { HubPlace } from './load.ts'

export type SocketCalls = Disposable & {
  /** Calls a mutation, and gives the data of its answer. Rejects when it is refused. */
  call<T = unknown>(path: string, input: object): Promise<T>
}

type Message = { id: number; result?: { data: unknown }; error?: { message: string } }

/** Connects to a hub as the holder of a mailbox key. */
export async function openSocket({ url, token }: HubPlace, key: string): Promise<SocketCalls> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/trpc`, {
    headers: toHeaders({ url, token, key }),
    perMessageDeflate: false,
  })
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  let last = 0
  socket.on('message', (bytes: Buffer) => {
    const { id, result, error } = JSON.parse(bytes.toString()) as Message
    const call = waiting.get(id)
    waiting.delete(id)
    if (error) call?.reject(new Error(error.message))
    else call?.resolve(result?.data)
  })
  socket.on('close', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`the hub closed the WebSocket with ${code}`))
  })
  await once(socket, 'open')
  return {
    call<T>(path: string, input: object) {
      const id = ++last
      const answer = Promise.withResolvers<unknown>()
      waiting.set(id, answer)
      socket.send(JSON.stringify({ id, jsonrpc: '2.0', method: 'mutation', params: { path, input } }))
      return answer.promise as Promise<T>
    },
    [Symbol.dispose]: () => socket.terminate(),
  }
}
