/**
 * The least hub of the same parts: mail over `ws` into the bare table of an exchange, each step one durable write that
 * shares its commit as the hub's do, answered after it. Calls are framed as the hub's are, so that clients do the same.
 * No names, keys, limits, receipts or feeds. Which messages wait for whom is kept in memory alone.
 */
import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
import { openPlainExchange } from './plain-exchange.ts'
import { serve } from './serve.ts'

type Send = { from: string; to: string; message: string }
type Offer = { id: number; text: string }
type Asked = { id: number; params: { path: keyof typeof calls; input: never } }

using mail = openPlainExchange(process.argv[2]!)
const waiting = new Map<string, number[]>()

const calls = {
  async send({ from, to, message }: Send): Promise<number> {
    const id = await mail.send(from, to, message)
    const before = waiting.get(to)
    if (before) before.push(id)
    else waiting.set(to, [id])
    return id
  },
  /** The message that has waited longest. */
  async consume({ to }: Pick<Send, 'to'>): Promise<Offer> {
    const id = waiting.get(to)!.shift()!
    return { id, text: await mail.consume(id) }
  },
  /** Says how many were acknowledged. */
  ack: ({ id }: Pick<Offer, 'id'>): Promise<number> => mail.acknowledge(id),
}

const server = createServer()
const sockets = new WebSocketServer({ server, perMessageDeflate: false })
sockets.on('connection', (socket) => {
  const answer = async ({ id, params: { path, input } }: Asked) => {
    const data = await calls[path](input)
    socket.send(JSON.stringify({ id, jsonrpc: '2.0', result: { type: 'data', data } }))
  }
  socket.on('message', (bytes: Buffer) => void answer(JSON.parse(bytes.toString()) as Asked))
})
await serve(server, sockets)
