/**
 * What the hub tells a Prometheus. The library that does it costs a start 10 to 20 ms and the process 2 MB, so it is loaded
 * when the hub has served for a second, or was asked; what happens before that is counted afterwards.
 */
import type { ServerResponse } from 'node:http'
import type { Meter } from '#db/meter'
import { appRouter } from '#router/router'
import { MOUNT } from '#router/wire'
import type { Caller } from '#router/context'
import { sendError } from './answer.ts'
import type { Log } from './log.ts'
import type { Prometheus, Sources } from './prometheus.ts'

export type Metrics = {
  /** Hears of the work of the database. */
  meter: Meter
  /** Counts a request or an upgrade that the guard refused. */
  refused(status: number): void
  /** Counts an HTTP request once it is answered, or given up. */
  watch(response: ServerResponse, path: string | undefined): void
  /** Answers a scrape; never rejects. */
  answer(response: ServerResponse, caller: Caller): Promise<void>
  /** From now on a scrape is answered. */
  serve(sources: Sources): void
  /** Loads the library, once. */
  load(): Promise<void>
}

export const METRICS_PATH = '/metrics'
const PROCEDURES = new Set(Object.keys(appRouter._def.procedures))
const NOT_JOINED = 'This machine was invited and has not joined yet.'
const NOT_NOW = 'The hub is starting or stopping: try again in a moment.'

/** Makes the metrics of one hub; they count from now on. */
export function createMetrics(log: Log): Metrics {
  let sources: Sources | undefined
  let loading: Promise<void> | undefined
  let library: Prometheus | 'none' | undefined
  /** What happened before the library was there. */
  let early: ((library: Prometheus) => void)[] = []

  function tell(event: (library: Prometheus) => void) {
    if (library === undefined) early.push(event)
    else if (library !== 'none') event(library)
  }

  async function open(given: Sources) {
    try {
      const { openPrometheus } = await import('./prometheus.ts')
      const opened = openPrometheus(given)
      for (const event of early) event(opened)
      library = opened
    } catch (cause) {
      library = 'none'
      log.error({ err: cause }, 'there are no metrics')
    }
    early = []
  }

  async function load() {
    if (sources) await (loading ??= open(sources))
  }

  async function scrape() {
    try {
      await load()
      return library === 'none' ? undefined : await library?.render()
    } catch (cause) {
      log.error({ err: cause }, 'a scrape was not answered')
      return undefined
    }
  }

  return {
    meter: {
      sent: () => tell((one) => one.sent()),
      delivered: (ms) => tell((one) => one.delivered(ms)),
      leaseOver: (count) => tell((one) => one.leaseOver(count)),
      committed: (operations, ms) => tell((one) => one.committed(operations, ms)),
    },
    refused: (status) => tell((one) => one.refused(status)),
    watch(response, path) {
      response.on('close', () => tell((one) => one.answered(toProcedure(path), toOutcome(response))))
    },
    async answer(response, caller) {
      if (caller.kind === 'machine' && caller.machineId === null) {
        return sendError(response, { status: 403, reason: NOT_JOINED })
      }
      const scraped = await scrape()
      if (!scraped) return sendError(response, { status: 503, reason: NOT_NOW })
      response.writeHead(200, { 'content-type': scraped.contentType, 'cache-control': 'no-store' })
      response.end(scraped.text)
    },
    serve: (given) => void (sources = given),
    load,
  }
}

/** One of a few words, whatever was asked for: each word is a time series for ever. */
function toProcedure(path = ''): string {
  if (path === '/health' || path === METRICS_PATH) return path.slice(1)
  const name = path.startsWith(MOUNT) ? path.slice(MOUNT.length) : ''
  if (name.includes(',')) return 'batch'
  return PROCEDURES.has(name) ? name : 'unknown'
}

function toOutcome({ writableFinished, statusCode }: ServerResponse): string {
  if (!writableFinished) return 'aborted'
  if (statusCode >= 500) return 'failed'
  return statusCode >= 400 ? 'refused' : 'ok'
}
