import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { createHome, type Home } from '../harness/home.ts'
import { runHub, stockClient, takeSeat, type HubProcess } from '../harness/hub.ts'

/** The token that the machines of the fort share. */
export const SHARED = 'the-shared-token-of-the-fort'
/** What makes a request one of another machine: a proxy says that it passes it on. */
export const FROM_ELSEWHERE = { 'x-forwarded-for': '100.64.0.7' }
/** What no log may hold: every test that has a secret of its own to send puts this into it. */
export const MARK = 'never-log-this'

/**
 * A real hub to attack, with sessions, a shared token and another machine. After each test mail must still go from one
 * session to another, and at the end the log may hold none of the secrets, and nothing that a caller sent.
 */
export function useFort() {
  let home: Home
  let hub: HubProcess
  let machineToken: string
  const secrets = new Set<string>([SHARED, MARK])

  beforeAll(async () => {
    home = await createHome()
    hub = await runHub(home, { env: { CLAUDE_PEERS_TOKEN: SHARED } })
    machineToken = (await stockClient(hub).machines.invite.mutate({ label: 'desktop' })).token
    await machine().machines.join.mutate({ machine: { id: 'machine-desktop', host: 'desktop' } })
    for (const secret of [hub.token, machineToken.split('.')[1]!]) secrets.add(secret)
  })
  afterEach(async () => {
    const key = await expectUnharmed(hub)
    for (const one of key) secrets.add(one.split('.')[1]!)
  })
  afterAll(async () => {
    await hub[Symbol.asyncDispose]()
    const log = await readFile(join(home.path, '.claude-peers/hub.log'), 'utf8')
    await home[Symbol.asyncDispose]()
    expectQuietLog(log, secrets)
  })
  const machine = () => stockClient({ url: hub.url, headers: { authorization: `Bearer ${machineToken}` } })

  return {
    get home() {
      return home
    },
    get url() {
      return hub.url
    },
    get port() {
      return new URL(hub.url).port
    },
    get pid() {
      return hub.pid
    },
    get headers() {
      return hub.headers
    },
    get bearer() {
      return hub.headers['authorization']!
    },
    /** What another machine sends, through a proxy. */
    get machineHeaders() {
      return { authorization: `Bearer ${machineToken}`, ...FROM_ELSEWHERE }
    },
    log: () => readFile(join(home.path, '.claude-peers/hub.log'), 'utf8'),
  }
}

let witnesses = 0

/** Mail goes from one session to another, through the whole of its life. Gives the keys of both. */
export async function expectUnharmed(hub: {
  url: string
  headers: Record<string, string>
}): Promise<string[]> {
  const name = `witness-${++witnesses}`
  const [sender, reader] = [await takeSeat(hub, name), await takeSeat(hub, `${name}-reader`)]
  const draft = { to: reader.id, message: 'all is well', idempotencyKey: `${name}-key` }
  const { messageId } = await sender.client.messages.send.mutate(draft)
  const { offerId, messages } = await reader.client.mailbox.consume.mutate({ budget: 1_000 })
  expect(messages).toMatchObject([{ id: messageId, text: 'all is well', from: `${name}@laptop` }])
  await reader.client.mailbox.ack.mutate({ offerId: offerId! })
  const { recipients } = await sender.client.messages.status.query({ messageId })
  expect(recipients).toMatchObject([{ state: 'delivered' }])
  return [sender.key, reader.key]
}

/** The log tells no secret, and of no failure of the hub. */
export function expectQuietLog(log: string, secrets: Iterable<string>): void {
  for (const secret of secrets) expect(log).not.toContain(secret)
  expect(log).not.toMatch(/"level":[56]0/)
}

/** Nothing was added to what all objects of this process share. */
export function expectPlainPrototypes(): void {
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  expect(Object.keys(Object.prototype)).toEqual([])
}
