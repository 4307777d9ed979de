import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * A free TCP port of 127.0.0.1 that is this process's until it ends, whether anything listens there or not: a hub that
 * was stopped finds it free again. It is below the ports that the system hands out. The sign that it is taken is the UDP
 * port of the same number, which the system gives to one process and takes back at its end.
 */
export async function findPort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000)
    if ((await reserve(port)) && (await isFree(port))) return port
  }
}

function reserve(port: number): Promise<boolean> {
  const sign = createSocket('udp4').unref()
  return new Promise((resolve) => {
    sign.once('error', () => resolve(false)).once('listening', () => resolve(true))
    sign.bind({ port, address: '127.0.0.1', exclusive: true })
  })
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const isListening = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true))
  })
  if (!isListening) return false
  server.close()
  await once(server, 'close')
  return true
}
