import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Meter } from '#db/meter'
import type { Database } from '#db/open'
import { MESSAGE_TTL_MS } from '#db/limits'

/** What is read at each scrape instead of being counted. */
export type Sources = { database: Database; version: string; sockets: () => number }

export type Prometheus = Meter & {
  refused(status: number): void
  answered(procedure: string, outcome: string): void
  render(): Promise<{ contentType: string; text: string }>
}

/** In seconds: from a busy session's next tool call to a mailbox that nobody opens before the mail expires. */
const LATENCY_BUCKETS = [
  0.01,
  0.05,
  0.25,
  1,
  5,
  15,
  60,
  300,
  900,
  3_600,
  4 * 3_600,
  12 * 3_600,
  24 * 3_600,
  MESSAGE_TTL_MS / 1_000,
]
/** In seconds: around one disk sync, which takes 0.1 ms on a good SSD and 30 ms on a slow card. */
const COMMIT_BUCKETS = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5]

/** Makes the metrics of one hub, in a registry of their own. */
export function openPrometheus(sources: Sources): Prometheus {
  const register = new Registry()
  const registers = [register]
  addGauges(sources, registers)
  const counter = <Label extends string = never>(name: string, help: string, labelNames: Label[] = []) =>
    new Counter({ name: `claude_peers_${name}`, help, labelNames, registers })
  const sent = counter('messages_sent_total', 'Messages sent, however many recipients each has.')
  const expired = counter('leases_expired_total', 'Offers of a message that were not acknowledged in time.')
  const commits = counter('commits_total', 'Transactions committed.')
  const operations = counter('commit_operations_total', 'Writes in those transactions.')
  const refusals = counter('refusals_total', 'Requests refused at the door, by HTTP status.', ['status'])
  const requests = counter('http_requests_total', 'HTTP requests, by procedure and how they ended.', [
    'procedure',
    'outcome',
  ])
  const latency = new Histogram({
    name: 'claude_peers_delivery_latency_seconds',
    help: 'Time from the queueing of a message to its acknowledgement.',
    buckets: LATENCY_BUCKETS,
    registers,
  })
  const duration = new Histogram({
    name: 'claude_peers_commit_duration_seconds',
    help: 'Time that a transaction took, with its disk sync.',
    buckets: COMMIT_BUCKETS,
    registers,
  })
  let watchesProcess = false

  return {
    sent: () => sent.inc(),
    leaseOver: (count) => expired.inc(count),
    delivered: (ms) => latency.observe(Math.max(0, ms) / 1_000),
    committed(count, ms) {
      commits.inc()
      operations.inc(count)
      duration.observe(ms / 1_000)
    },
    refused: (status) => refusals.inc({ status }),
    answered: (procedure, outcome) => requests.inc({ procedure, outcome }),
    async render() {
      // It looks at the event loop a hundred times a second: not on a machine where nobody asks.
      if (!watchesProcess) collectDefaultMetrics({ register })
      watchesProcess = true
      return { contentType: register.contentType, text: await register.metrics() }
    },
  }
}

function addGauges({ database, version, sockets }: Sources, registers: Registry[]) {
  const { peers, messages, bell, now } = database
  const add = (name: string, help: string, collect: (gauge: Gauge) => void, ...labels: string[]) =>
    new Gauge({
      name: `claude_peers_${name}`,
      help,
      labelNames: labels,
      registers,
      collect() {
        collect(this)
      },
    })
  add('peers_online', 'Sessions that are connected.', (gauge) => gauge.set(peers.counts().online))
  add('peers_known', 'Seats, held or not.', (gauge) => gauge.set(peers.counts().known))
  add('sockets', 'Open WebSockets.', (gauge) => gauge.set(sockets()))
  add('subscriptions', 'Feeds that are followed.', (gauge) => gauge.set(bell.count()))
  add('oldest_waiting_seconds', 'Age of the message that has waited longest; 0 when none waits.', (gauge) =>
    gauge.set(Math.max(0, now() - (messages.oldestWaiting() ?? now())) / 1_000),
  )
  const byState = (gauge: Gauge) => {
    const { queued, offered } = messages.counts()
    gauge.set({ state: 'queued' }, queued)
    gauge.set({ state: 'offered' }, offered)
  }
  add('deliveries', 'Messages on their way, by state, once for each recipient.', byState, 'state')
  const build = (gauge: Gauge) => gauge.set({ version }, 1)
  add('build_info', 'Always 1; the label tells what runs.', build, 'version')
}
