import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { createHome, type Home } from '../harness/home.ts'
import { runHub, stockClient, takeSeat, type HubProcess, type Seat } from '../harness/hub.ts'

/** A real hub that takes everything that the properties of a file do to it, and must do its work after each. */
export function useFuzzedHub() {
  const stack = new AsyncDisposableStack()
  let home: Home
  let hub: HubProcess
  let victim: Seat
  let machineToken: string
  beforeAll(async () => {
    home = stack.use(await createHome())
    hub = stack.use(await runHub(home))
    victim = await takeSeat(hub, 'victim')
    machineToken = (await stockClient(hub).machines.invite.mutate({ label: 'fuzzed' })).token
  })
  afterAll(() => stack.disposeAsync())
  afterEach(async () => {
    await proveWork(hub)
    const log = await readFile(join(home.path, '.claude-peers/hub.log'), 'utf8')
    const failures = log.split('\n').filter((line) => /"level":[56]0/.test(line))
    expect({ failures, stderr: hub.stderr() }).toEqual({ failures: [], stderr: '' })
  })
  return {
    get url() {
      return hub.url
    },
    get token() {
      return hub.token
    },
    get headers() {
      return victim.headers
    },
    /** What another machine sends, which was invited. */
    get guest() {
      return { authorization: `Bearer ${machineToken}`, 'x-forwarded-for': '100.64.0.7' }
    },
  }
}

/** Two new seats at the hub: what one sends the other gets, once, and the sender hears of it. */
async function proveWork(hub: HubProcess) {
  const suffix = randomUUID().slice(0, 8)
  const machine = { id: `machine-${suffix}`, host: `host-${suffix}` }
  const sender = await takeSeat(hub, `sender-${suffix}`, { machine })
  const reader = await takeSeat(hub, `reader-${suffix}`, { machine })
  const input = { to: reader.name, message: 'still at work', idempotencyKey: randomUUID() }
  const { messageId } = await sender.client.messages.send.mutate(input)
  const { offerId, messages } = await reader.client.mailbox.consume.mutate({ budget: 1_000 })
  expect(messages.map((mail) => mail.text)).toEqual(['still at work'])
  await reader.client.mailbox.ack.mutate({ offerId: offerId! })
  const { recipients } = await sender.client.messages.status.query({ messageId })
  expect(recipients.map((one) => one.state)).toEqual(['delivered'])
}
