import { pino } from 'pino'
import { createPresence } from '../../apps/hub/presence.ts'
import { createMetrics } from '../../apps/hub/metrics.ts'
import { listen, type ListenOptions } from '../../apps/hub/server.ts'
import { openInMemory } from '../../lib/db/open.ts'

/** The hub's server alone, on a database in memory that a test can fill and break. */
export async function openServer(options: Partial<ListenOptions> = {}) {
  const token = 'a-token-of-this-test'
  const lines: { level: number; msg: string }[] = []
  const database = openInMemory({ folder: 'drizzle', now: Date.now })
  const log = pino({ level: 'debug' }, { write: (line: string) => lines.push(JSON.parse(line)) })
  const metrics = createMetrics(log)
  const server = await listen({
    bind: '127.0.0.1',
    port: 0,
    localToken: token,
    sharedToken: undefined,
    hosts: [],
    version: '1.2.3',
    identity: '{}',
    log,
    metrics,
    ...options,
  })
  const isRunning = () => undefined
  const presence = createPresence({ database, isRunning, onError: () => undefined })
  const stats = () => ({ pid: 1, startedAt: 0, sockets: 0, reach: server.reach() })
  const hub = {
    version: '1.2.3',
    machineId: 'm',
    host: 'laptop',
    home: '/home/hub',
    urls: () => [],
    disconnect: server.sockets.disconnect,
    socketsOf: server.sockets.countOf,
    stats,
    stop() {},
    foreground: false,
    isRunning,
    presence,
    notifies: () => false,
  }
  return {
    url: server.url,
    token,
    headers: { authorization: `Bearer ${token}` },
    lines,
    database,
    serve() {
      server.serve({ database, hub })
      metrics.serve({ database, version: '1.2.3', sockets: server.sockets.count })
    },
    breakDatabase: () => database.sqlite.close(),
    [Symbol.asyncDispose]: () => server.close(),
  }
}
