import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'

/** A program without a guard, which tells everything to every page; `posted` are the types of what pages sent it. */
export type Careless = AsyncDisposable & { url: string; posted: Set<string> }

/** Starts it on loopback: what a page cannot do to this one, it cannot do to any. */
export async function openCareless(): Promise<Careless> {
  const posted = new Set<string>()
  const server = createServer((request, response) => {
    const { origin, 'content-type': type = '' } = request.headers
    if (request.method === 'POST') posted.add(type.split(';')[0]!)
    request.resume()
    response.setHeader('access-control-allow-origin', origin ?? '*')
    response.setHeader('access-control-allow-credentials', 'true')
    response.setHeader('access-control-allow-headers', 'authorization, content-type, x-claude-peers-key')
    if (request.headers.accept === 'text/event-stream')
      response.setHeader('content-type', 'text/event-stream')
    response.end('data: everything\n\n')
  })
  const sockets = new WebSocketServer({ server })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    posted,
    async [Symbol.asyncDispose]() {
      for (const client of sockets.clients) client.terminate()
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
