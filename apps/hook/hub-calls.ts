import { toHeaders } from '#client/endpoint'
import { requestJson, type Answer } from '#client/request'
import type { Card } from '#machine/cards'
import { isKnownToRun } from '#machine/processes'
import { createChallenge, readProof } from '#machine/proof'
import { MOUNT } from '#router/wire'
import type { AppRouter } from '#router/router'
import type { inferRouterInputs, inferRouterOutputs } from '@trpc/server'
import { openLocalHttp, type LocalPost } from './local-http.ts'
import type { Place } from './sockets.ts'

type Inputs = inferRouterInputs<AppRouter>
type Outputs = inferRouterOutputs<AppRouter>

/** The calls a hook makes, typed by the router, without its client: that would triple the start of this process. */
export type HubCalls = ReturnType<typeof openHubCalls>

/** The hook's own deadline comes first. */
const CALL_TIMEOUT_MS = 1_500

/**
 * Speaks to the hub of a card. Each call rejects when the hub does not do what was asked. When the hub's process has
 * ended, or is one of another container that cannot be seen from here, what listens at its port now may be any program: it proves that it is the hub of this user before it gets the
 * token. That takes one more question, until the MCP server has written the card again.
 */
export function openHubCalls({ hubUrl, token, key, hub }: Card) {
  const local = findLocal(hubUrl)
  const post = local ? openLocalHttp(local) : postRemote(hubUrl)
  const headers = toHeaders({ url: hubUrl, token, key })
  // Looked up while the connection is made, and before anything is said.
  const mustProve = hub && !isKnownToRun(hub)
  let proven: Promise<void> | undefined

  async function prove(): Promise<void> {
    const challenge = createChallenge()
    const path = `/health?challenge=${challenge}`
    const answer = local && (await post({ path, headers: {} }))
    const isHub = answer && readProof(answer.body, { token, challenge, port: local.port }) !== undefined
    if (!isHub) throw new Error('the hub of this card has ended')
  }

  async function mutate<Output>(path: string, body: object): Promise<Output> {
    if (mustProve) await (proven ??= prove())
    const { status, body: answer } = await post({ path: MOUNT + path, headers, body })
    if (status !== 200) throw new Error(`${path}: ${status}`)
    return (answer as { result: { data: Output } }).result.data
  }

  return {
    bindSession: (sessionId: string) =>
      mutate<Outputs['peers']['bindSession']>('peers.bindSession', {
        sessionId,
      } satisfies Inputs['peers']['bindSession']),
    consume: (input: Inputs['mailbox']['consume']) =>
      mutate<Outputs['mailbox']['consume']>('mailbox.consume', input),
    acknowledge: (offerId: string, unshown: number[]) =>
      mutate<Outputs['mailbox']['ack']>('mailbox.ack', {
        offerId,
        unshown,
      } satisfies Inputs['mailbox']['ack']),
  }
}

/** Nothing but the hub itself answers there; on the way to another machine there may be TLS, or a proxy. */
function findLocal(url: string): Place | undefined {
  const [, host, port] = /^http:\/\/(127\.[\d.]+|\[::1\]|localhost):(\d+)$/.exec(url) ?? []
  return host === undefined ? undefined : { host, port: Number(port) }
}

function postRemote(hubUrl: string): (post: LocalPost) => Promise<Answer> {
  return ({ path, headers, body }) =>
    requestJson({ method: 'POST', url: hubUrl + path, headers, body, timeoutMs: CALL_TIMEOUT_MS })
}
