/** A machine of the network that is lost, stolen, or does too much. */
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { stockClient, takeSeat } from '../harness/hub.ts'
import { exchange } from '../harness/raw.ts'
import { refusals, waitFor } from '../harness/wait.ts'
import { upgrade } from '../hub/one-hub.ts'
import { FROM_ELSEWHERE, useFort } from './fort.ts'

const fort = useFort()
let machines = 0

/** Another machine that has joined, with a session that has a seat. */
async function joinAnother() {
  const label = `machine-${++machines}`
  const id = `id-of-${label}`
  const { token } = await stockClient(fort).machines.invite.mutate({ label })
  const headers = { authorization: `Bearer ${token}`, ...FROM_ELSEWHERE }
  const seat = await takeSeat({ url: fort.url, headers }, label, { machine: { id, host: label } })
  return { label, id, token, headers, seat }
}

/** A WebSocket that subscribes to everything, and what it hears. */
async function listen(headers: Record<string, string>) {
  const socket = new WebSocket(`${fort.url.replace('http', 'ws')}/trpc`, { headers })
  const heard: string[] = []
  let closed: number | undefined
  socket.on('message', (data: Buffer) => heard.push(data.toString()))
  socket.on('close', (code) => (closed = code))
  await waitFor(() => socket.readyState === socket.OPEN, 'the socket')
  for (const [id, path] of ['mailbox.watch', 'peers.watch', 'messages.watch'].entries()) {
    socket.send(JSON.stringify({ id, method: 'subscription', params: { path } }))
  }
  await waitFor(() => heard.filter((text) => text.includes('"started"')).length === 3, 'the subscriptions')
  return { socket, heard, closed: () => closed }
}

describe('a machine that is revoked', () => {
  test('is cut off at once, in the middle of what it listens to, and hears nothing of what comes after', async () => {
    const { label, headers, seat } = await joinAnother()
    const link = await listen(seat.headers)
    const sender = await takeSeat(fort, `${label}-friend`)
    const send = (message: string) =>
      sender.client.messages.send.mutate({ to: seat.id, message, idempotencyKey: `${label} ${message}` })
    await send('before')
    await waitFor(() => link.heard.some((text) => text.includes('before')), 'the news')
    expect(await stockClient(fort).machines.revoke.mutate({ machine: label })).toEqual({ label, closed: 1 })
    await send('after')
    expect(await waitFor(link.closed, 'the end')).toBe(1008)
    expect(link.heard.join()).not.toContain('after')
    for (const sent of [headers, seat.headers]) {
      expect((await exchange(`${fort.url}/trpc/peers.list`, { headers: sent })).status).toBe(401)
      expect(await upgrade(fort.url, sent)).toBe(401)
    }
    const own = { ...fort.headers, 'x-claude-peers-key': seat.key }
    const { messages } = await stockClient({ url: fort.url, headers: own }).mailbox.peek.query()
    expect(messages.map(({ text }) => text)).toEqual(['before', 'after'])
  })

  test('is cut off although it answers nothing and reads nothing', async () => {
    const { label, seat } = await joinAnother()
    const link = await listen(seat.headers)
    link.socket.pause()
    await stockClient(fort).machines.revoke.mutate({ machine: label })
    const socketsOf = async () =>
      (await stockClient(fort).machines.list.query()).machines.find((one) => one.label === label)?.sockets
    await waitFor(async () => (await socketsOf()) === 0, 'the end')
    expect(await upgrade(fort.url, seat.headers)).toBe(401)
    link.socket.terminate()
  })

  test('leaves the others connected', async () => {
    const [one, other] = [await joinAnother(), await joinAnother()]
    const link = await listen(other.seat.headers)
    await stockClient(fort).machines.revoke.mutate({ machine: one.label })
    await takeSeat(fort, 'newcomer')
    await waitFor(() => link.heard.some((text) => text.includes('newcomer')), 'the news')
    expect(link.closed()).toBeUndefined()
    link.socket.terminate()
  })
})

describe('a machine', () => {
  test('has no use for another machine’s key, over HTTP and over a WebSocket', async () => {
    const [thief, owner] = [await joinAnother(), await joinAnother()]
    const local = await takeSeat(fort, 'local-owner')
    for (const key of [owner.seat.key, local.key]) {
      const headers = { ...thief.headers, 'x-claude-peers-key': key }
      const client = stockClient({ url: fort.url, headers })
      await expect(client.mailbox.consume.mutate({ budget: 100 })).rejects.toMatchObject({
        data: { code: 'UNAUTHORIZED' },
      })
      const socket = new WebSocket(`${fort.url.replace('http', 'ws')}/trpc`, { headers })
      const heard: string[] = []
      socket.on('message', (data: Buffer) => heard.push(data.toString()))
      await waitFor(() => socket.readyState === socket.OPEN, 'the socket')
      socket.send(JSON.stringify({ id: 1, method: 'subscription', params: { path: 'mailbox.watch' } }))
      expect(await waitFor(() => heard[0], 'an answer')).toContain('UNAUTHORIZED')
      socket.terminate()
    }
  })

  test('cannot take the seat of a session of this machine by saying that it is this machine', async () => {
    const thief = await joinAnother()
    await expect(
      takeSeat({ url: fort.url, headers: thief.headers }, 'api', {
        machine: { id: 'machine-of-tests', host: 'laptop' },
      }),
    ).rejects.toMatchObject({ data: { code: 'FORBIDDEN' } })
  })

  test('does nothing that only this machine’s user may', async () => {
    const { headers } = await joinAnother()
    const client = stockClient({ url: fort.url, headers })
    const calls = [
      client.hub.stop.mutate(),
      client.machines.list.query(),
      client.machines.invite.mutate({ label: 'accomplice' }),
      client.machines.revoke.mutate({ machine: 'desktop' }),
    ]
    for (const refusal of await refusals(calls))
      expect(refusal).toMatchObject({ data: { code: 'FORBIDDEN' } })
  })

  test('that makes too many requests waits, alone, and is told for how long', async () => {
    const { headers } = await joinAnother()
    const batch = `/trpc/${Array.from({ length: 200 }, () => 'hub.health').join(',')}?batch=1`
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => exchange(fort.url + batch, { headers })),
    )
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThan(10)
    expect(refused[0]).toMatchObject({ headers: { 'retry-after': '1' } })
    expect(refused[0]!.body).toContain('200 a second')
    const other = { url: fort.url, headers: fort.machineHeaders }
    await expect(stockClient(other).peers.list.query()).resolves.toBeDefined()
    await waitFor(
      async () => (await exchange(`${fort.url}/trpc/hub.health`, { headers })).status === 200,
      'its next turn',
    )
  })

  test('that makes too many calls over one WebSocket hears so, and stays connected', async () => {
    const { headers } = await joinAnother()
    const socket = new WebSocket(`${fort.url.replace('http', 'ws')}/trpc`, { headers })
    const heard: string[] = []
    socket.on('message', (data: Buffer) => {
      const answers = [JSON.parse(data.toString()) as unknown].flat()
      heard.push(...answers.map((one) => JSON.stringify(one)))
    })
    await waitFor(() => socket.readyState === socket.OPEN, 'the socket')
    const batch = (from: number) =>
      JSON.stringify(
        Array.from({ length: 250 }, (_, id) => ({
          id: from + id,
          method: 'query',
          params: { path: 'hub.health' },
        })),
      )
    for (let round = 0; round < 8; round++) socket.send(batch(round * 250))
    await waitFor(() => heard.length === 2_000, 'the answers')
    expect(heard.filter((text) => text.includes('TOO_MANY_REQUESTS')).length).toBeGreaterThan(500)
    expect(heard.filter((text) => text.includes('"status":"ok"')).length).toBeGreaterThanOrEqual(999)
    expect(socket.readyState).toBe(socket.OPEN)
    socket.terminate()
  })

  test('follows 32 feeds over one WebSocket at most, and another when one ends', async () => {
    const { headers } = await joinAnother()
    const socket = new WebSocket(`${fort.url.replace('http', 'ws')}/trpc`, { headers })
    const heard: string[] = []
    socket.on('message', (data: Buffer) => heard.push(data.toString()))
    await waitFor(() => socket.readyState === socket.OPEN, 'the socket')
    const follow = (id: number) =>
      socket.send(JSON.stringify({ id, method: 'subscription', params: { path: 'messages.watch' } }))
    const refused = () => heard.filter((text) => text.includes('32 feeds at most')).length
    for (let id = 0; id < 40; id++) follow(id)
    await waitFor(() => refused() > 0, 'a refusal')
    await waitFor(() => heard.length >= 48, 'an answer to each')
    expect(refused()).toBe(8)
    socket.send(JSON.stringify({ id: 0, method: 'subscription.stop' }))
    await waitFor(
      () => heard.some((text) => text.includes('"stopped"') && text.includes('"id":0')),
      'the end',
    )
    follow(100)
    await waitFor(() => heard.some((text) => text.includes('"id":100')), 'another')
    expect(refused()).toBe(8)
    socket.terminate()
  })
})
