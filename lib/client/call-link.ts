import { Agent as HttpAgent } from 'node:http'
import { TRPCClientError, type TRPCLink } from '@trpc/client'
import { observable } from '@trpc/server/observable'
import { MOUNT } from '#router/wire'
import type { AppRouter } from '#router/router'
import { toHeaders, type Endpoint, type EndpointSource } from './endpoint.ts'
import { requestJson, type Answer } from './request.ts'

/**
 * A terminating link for calls over HTTP/1.1 with kept connections. A call that the hub did not take is made once more,
 * at the endpoint looked up anew: a hub that came back meanwhile is found. Repeating is safe, as every mutation of the
 * contract is idempotent, or at worst leaves an offer to its lease.
 */
export function callLink(options: {
  endpoint: EndpointSource
  timeoutMs: number
}): TRPCLink<AppRouter> & { close(): void } {
  const agent = new HttpAgent({ keepAlive: true, maxSockets: 64 })
  const link: TRPCLink<AppRouter> =
    () =>
    ({ op }) =>
      observable((observer) => {
        const aborted = new AbortController()
        op.signal?.addEventListener('abort', () => aborted.abort(), { once: true })
        call(op).then(
          (data) => {
            observer.next({ result: { type: 'data', data } })
            observer.complete()
          },
          (cause: unknown) => observer.error(TRPCClientError.from(cause as Error)),
        )
        return () => aborted.abort()

        async function call(operation: typeof op): Promise<unknown> {
          const endpoint = await options.endpoint({ fresh: false })
          try {
            return toData(await exchange(operation, endpoint), endpoint)
          } catch (cause) {
            if (!isBroken(cause)) throw cause
          }
          const found = await options.endpoint({ fresh: true })
          return toData(
            await exchange(operation, found).catch((cause: unknown) => {
              throw unreachable(found, cause as Error)
            }),
            found,
          )
        }

        function exchange({ type, path, input }: typeof op, endpoint: Endpoint): Promise<Answer> {
          const url = `${endpoint.url}${MOUNT}${path}`
          const query = input === undefined ? '' : `?input=${encodeURIComponent(JSON.stringify(input))}`
          return requestJson({
            headers: toHeaders(endpoint),
            timeoutMs: options.timeoutMs,
            signal: aborted.signal,
            ...(!url.startsWith('https:') && { agent }),
            ...(type === 'query'
              ? { method: 'GET', url: url + query }
              : { method: 'POST', url, body: input ?? {} }),
          })
        }
      })
  return Object.assign(link, { close: () => agent.destroy() })
}

function toData({ status, body }: Answer, endpoint: Endpoint): unknown {
  if (isRecord(body) && isRecord(body['result'])) return body['result']['data']
  if (isRecord(body) && isRecord(body['error'])) throw TRPCClientError.from(body as never)
  const words =
    isRecord(body) && typeof body['error'] === 'string' ? body['error'] : `It answered with status ${status}.`
  throw new Error(`The hub at ${endpoint.url} did not take the call. ${words}`)
}

function unreachable({ url }: Endpoint, cause: Error & { code?: string }): Error {
  return new Error(`The hub at ${url} does not answer (${cause.code ?? cause.message}).`, { cause })
}

/** The connection failed or broke: the hub restarts, or a kept connection was closed under the call. */
const isBroken = (cause: unknown) =>
  ['ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(String((cause as { code?: unknown }).code))

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null
