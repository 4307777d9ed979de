/** The least that tells everybody: a `ws` server that serialises what it is posted once, and sends it to each socket. */
import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
import { serve } from './serve.ts'

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const data: unknown = JSON.parse(Buffer.concat(chunks).toString())
    const event = Buffer.from(JSON.stringify({ id: 1, jsonrpc: '2.0', result: { type: 'data', data } }))
    for (const client of sockets.clients) client.send(event, { binary: false })
    response.end('{"result":{"data":{}}}')
  })
})
const sockets = new WebSocketServer({ server, perMessageDeflate: false })

await serve(server, sockets)
