import { Agent } from 'node:http'
import { toHeaders } from '#client/endpoint'
import { requestJson } from '#client/request'
import type { Card } from '#machine/cards'
import { MOUNT } from '#router/wire'
import type { AppRouter } from '#router/router'
import type { inferRouterInputs, inferRouterOutputs } from '@trpc/server'

type Inputs = inferRouterInputs<AppRouter>
type Outputs = inferRouterOutputs<AppRouter>

/** The calls a hook makes, typed by the router, without its client: that would triple the start of this process. */
export type HubCalls = ReturnType<typeof openHubCalls>

const CALL_TIMEOUT_MS = 1_200

/** Speaks to the hub of a card over one kept connection. Each call rejects when the hub does not do what was asked. */
export function openHubCalls({ hubUrl, token, key }: Card) {
  const agent = hubUrl.startsWith('https:') ? undefined : new Agent({ keepAlive: true, maxSockets: 1 })

  async function mutate<Output>(path: string, body: object): Promise<Output> {
    const { status, body: answer } = await requestJson({
      method: 'POST',
      url: hubUrl + MOUNT + path,
      headers: toHeaders({ url: hubUrl, token, key }),
      body,
      timeoutMs: CALL_TIMEOUT_MS,
      ...(agent && { agent }),
    })
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
    acknowledge: (offerId: string) =>
      mutate<Outputs['mailbox']['ack']>('mailbox.ack', { offerId } satisfies Inputs['mailbox']['ack']),
  }
}
