/** The least that tells everybody: a `ws` server that serialises what it is posted once, and sends it to each socket. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
import { answerCalls } from '../../lib/probe/calls.ts'

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

await answerCalls({
  async listen() {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as { port: number }).port
  },
})
for (const client of sockets.clients) client.terminate()
server.closeAllConnections()
server.close()
