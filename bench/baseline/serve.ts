import { once } from 'node:events'
import type { Server } from 'node:http'
import type { WebSocketServer } from 'ws'
import { answerCalls } from '../../lib/probe/calls.ts'

/**
 * Runs a server as a child of the benchmark: when asked to `listen`, it does on loopback and tells its port. Resolves
 * once the parent has gone and every connection, and every one of the WebSockets on it, was ended.
 */
export async function serve(server: Server, sockets?: WebSocketServer): Promise<void> {
  await answerCalls({
    async listen() {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      return (server.address() as { port: number }).port
    },
  })
  for (const client of sockets?.clients ?? []) client.terminate()
  server.closeAllConnections()
  server.close()
}
