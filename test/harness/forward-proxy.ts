import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A forward proxy as a company has one; it counts what it is asked and passes nothing on. */
export type ForwardProxy = AsyncDisposable & {
  asked: string[]
  /** Every variable by which programs are sent to it, in both cases. */
  variables: Record<string, string>
}

export async function openForwardProxy(): Promise<ForwardProxy> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    response.writeHead(502).end()
  })
  for (const event of ['connect', 'upgrade'])
    server.on(event, (request, socket) => {
      asked.push(`${event} ${request.url}`)
      socket.destroy()
    })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY'].flatMap((name) => [name, name.toLowerCase()])
  return {
    asked,
    variables: { NODE_USE_ENV_PROXY: '1', ...Object.fromEntries(names.map((name) => [name, url])) },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
