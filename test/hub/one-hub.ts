import { afterAll, afterEach, beforeAll } from 'vitest'
import { WebSocket } from 'ws'
import { createHome, type Home } from '../harness/home.ts'
import { runHub, stockClient, type HubProcess } from '../harness/hub.ts'

/** What no answer may hold: our files, a stack, SQL, an engine's words. */
export const INTERNALS =
  /\/(tmp|root|home|work)\/|\bat [\w.]+ \(|node:|\.ts:\d|\.js:\d|sqlite|select |insert |drizzle|Unexpected token|SyntaxError/i

/** One real hub that takes everything that the tests of a file do to it, and must stand after each. */
export function useOneHub() {
  let home: Home
  let hub: HubProcess
  beforeAll(async () => {
    home = await createHome()
    hub = await runHub(home)
  })
  afterAll(async () => {
    await hub[Symbol.asyncDispose]()
    await home[Symbol.asyncDispose]()
  })
  afterEach(async () => {
    const stats = await stockClient(hub)
      .hub.stats.query()
      .catch(() => undefined)
    if (stats) return
    // One harm is one failed test.
    hub = await runHub(home)
    throw new Error('the hub did not survive this')
  })
  return {
    get url() {
      return hub.url
    },
    get port() {
      return new URL(hub.url).port
    },
    get headers() {
      return hub.headers
    },
    /** The value of the right Authorization header. */
    get bearer() {
      return hub.headers['authorization']!
    },
  }
}

/** Opens a WebSocket, and gives the status that refused it, or 101. */
export function upgrade(url: string, headers: Record<string, string>, path = '/trpc'): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`, { headers })
    socket.on('open', () => {
      socket.terminate()
      resolve(101)
    })
    socket.on('unexpected-response', (_, response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode!))
    })
    socket.on('error', reject)
  })
}
