import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runHub } from '../harness/hub.ts'
import { startSession } from '../harness/session.ts'
import { waitFor } from '../harness/wait.ts'
import { startAgent, type Agent } from './agent.ts'
import { HUB_URL, SHARED_TOKEN } from './fleet.ts'
import { openMachine, PORT, type Machine, type Settings } from './machine.ts'
import { openNetwork, type Network } from './network.ts'

type Office = AsyncDisposable & {
  network: Network<'hub' | 'laptop' | 'desktop'>
  hub: Machine
  laptop: Machine
  desktop: Machine
  agents: { hub: Agent; laptop: Agent }
}

/** Three computers, none of which has joined another; an agent on two of them. */
async function openOffice(settings: Settings = {}): Promise<Office> {
  await using stack = new AsyncDisposableStack()
  const network = stack.use(await openNetwork('hub', 'laptop', 'desktop'))
  const { hosts } = network
  const hub = stack.use(await openMachine(hosts.hub, settings))
  const laptop = stack.use(await openMachine(hosts.laptop, {}))
  const desktop = stack.use(await openMachine(hosts.desktop, {}))
  const agents = { hub: stack.use(startAgent(hosts.hub)), laptop: stack.use(startAgent(hosts.laptop)) }
  const own = stack.move()
  return { network, hub, laptop, desktop, agents, [Symbol.asyncDispose]: () => own.disposeAsync() }
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const REGISTRATION = JSON.stringify({
  machine: { id: 'machine-of-a-stranger', host: 'stranger' },
  directory: '/src/api',
  root: '/src/api',
  isRepo: true,
  summary: '',
})

/** What another computer is answered, at every door there is. */
async function knock(agent: Agent, headers: Record<string, string> = {}) {
  const paths = [
    '/',
    '/health',
    '/metrics',
    '/trpc/hub.health',
    '/trpc/hub.stats',
    '/trpc/peers.list',
    '/no/such',
  ]
  const answers = paths.map((path) => agent.exchange(HUB_URL + path, { headers }))
  const post = agent.exchange(`${HUB_URL}/trpc/peers.register`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: REGISTRATION,
  })
  const socket = await agent.openSocket(`${HUB_URL.replace('http', 'ws')}/trpc`, headers)
  const all = await Promise.all([...answers, post])
  return {
    statuses: new Set([...all.map(({ status }) => status), socket.status]),
    said: all.map(({ body }) => body).join(),
    headers: new Set(all.flatMap((answer) => Object.keys(answer.headers))),
  }
}

describe('with a shared token', () => {
  test('who has none, or a wrong one, is told nothing, not even the health or the version', async () => {
    await using office = await openOffice({ bind: '100.64.0.1', token: SHARED_TOKEN })
    await using hub = await runHub(office.hub)
    const { agents } = office
    const isKnown = async () => {
      const headers = bearer(SHARED_TOKEN)
      return (await agents.laptop.exchange(`${HUB_URL}/trpc/hub.stats`, { headers })).status === 200
    }
    expect(await isKnown()).toBe(true)
    expect([...(await knock(agents.laptop)).statuses]).toEqual([401])
    for (const headers of [{}, bearer('x'.repeat(SHARED_TOKEN.length)), bearer(hub.token)]) {
      const answer = await knock(agents.laptop, headers)
      // After ten wrong ones within a minute the door stays shut to whoever was not known before.
      expect([401, 429]).toEqual(expect.arrayContaining([...answer.statuses]))
      expect(answer.said).not.toMatch(/\d+\.\d+\.\d+|claude-peers|~|token/)
      expect([...answer.headers].filter((name) => name.startsWith('x-'))).toEqual([])
    }
    expect(await isKnown()).toBe(true)
    const log = await readFile(join(office.hub.path, '.claude-peers/hub.log'), 'utf8')
    expect(log).toContain(office.laptop.address)
    for (const secret of [SHARED_TOKEN, hub.token, 'xxxxxxxx']) expect(log).not.toContain(secret)
  })
})

test('without any token configured, everything from elsewhere is refused, and the own sessions work', async () => {
  await using office = await openOffice({ bind: '100.64.0.1' })
  await using hub = await runHub(office.hub)
  for (const headers of [{}, bearer('guess'), bearer(hub.token)]) {
    expect([...(await knock(office.agents.laptop, headers)).statuses]).toEqual([403])
  }
  await using web = await startSession(office.hub, { cwd: await office.hub.project('web') })
  expect((await web.tool('list_peers')).text).toMatch(/^You are web@hub/)
})

test('an address that comes later is listened at as soon as it is there', async () => {
  await using office = await openOffice({ bind: '100.64.0.77', token: SHARED_TOKEN })
  await using hub = await runHub(office.hub)
  await using web = await startSession(office.hub, { cwd: await office.hub.project('web') })
  expect((await web.tool('list_peers')).text).toMatch(/^You are web@hub/)
  expect((await office.hub.cli(['status'])).stdout).toContain('100.64.0.77')
  await office.network.addAddress('hub', '100.64.0.77')
  const answer = await waitFor(
    () =>
      office.agents.laptop
        .exchange(`http://100.64.0.77:${PORT}/trpc/hub.stats`, { headers: bearer(SHARED_TOKEN) })
        .catch(() => undefined),
    'the hub at its address',
    15_000,
  )
  expect(answer.status).toBe(200)
  expect(hub.stderr()).not.toMatch(/"level":[56]0/)
})

describe('an invitation', () => {
  /** The line that `invite` prints to be pasted elsewhere. */
  async function invite(hub: Machine, label: string): Promise<string> {
    const { stdout, stderr, code } = await hub.cli(['hub', 'invite', label])
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 })
    return stdout.split('\n').find((line) => line.startsWith('claude-peers join '))!
  }
  const toToken = (line: string) => line.split(' ').at(-1)!

  test('printed on the one machine and pasted on the other makes one network of them', async () => {
    await using office = await openOffice()
    const { hub, laptop, desktop } = office
    for (const machine of [laptop, desktop]) {
      const line = await invite(hub, machine === laptop ? 'laptop' : 'desktop')
      const joined = await machine.shell(line)
      expect(joined).toMatchObject({ code: 0, stderr: '' })
      expect(joined.stdout).toContain(HUB_URL)
      expect(joined.stdout).not.toContain(toToken(line))
    }
    await using web = await startSession(laptop, { cwd: await laptop.project('web') })
    await using api = await startSession(desktop, { cwd: await desktop.project('api') })
    await using own = await startSession(hub, { cwd: await hub.project('own') })
    const { data } = await web.tool('send_message', {
      to: ['api@desktop', 'own@hub'],
      message: 'hello to both',
    })
    await Promise.all([api.mailWaits(), own.mailWaits()])
    expect(await api.deliver('UserPromptSubmit')).toContain('hello to both')
    expect(await own.deliver('UserPromptSubmit')).toContain('hello to both')
    const status = await web.tool('message_status', { message_id: data['message_id'] })
    expect((status.data['recipients'] as { state: string }[]).map((one) => one.state)).toEqual([
      'delivered',
      'delivered',
    ])
    expect((await hub.cli(['hub', 'machines'])).stdout).toMatch(/laptop: joined.*\n.*desktop: joined/s)
  })

  test('that is revoked ends its connections at once and opens nothing any more; the rest goes on', async () => {
    await using office = await openOffice()
    const { hub, laptop, desktop, agents } = office
    const line = await invite(hub, 'laptop')
    await laptop.shell(line)
    await desktop.shell(await invite(hub, 'desktop'))
    await using web = await startSession(laptop, { cwd: await laptop.project('web') })
    await using api = await startSession(desktop, { cwd: await desktop.project('api') })
    const headers = bearer(toToken(line))
    const socket = await agents.laptop.openSocket(`${HUB_URL.replace('http', 'ws')}/trpc`, headers)
    expect(socket).not.toHaveProperty('status')
    const revoking = performance.now()
    const revoked = await hub.cli(['hub', 'revoke', 'laptop'])
    expect(await socket.ended()).toBe(1008)
    // With the start of the command itself.
    expect(performance.now() - revoking).toBeLessThan(4_000)
    expect(revoked).toMatchObject({ code: 0, stderr: '' })
    expect([...(await knock(agents.laptop, headers)).statuses]).toEqual([401])
    const refused = await web.tool('send_message', { to: 'api@desktop', message: 'after the end' })
    expect(refused).toMatchObject({ isError: true, text: expect.stringMatching(/join|invite/) })
    await waitFor(async () => (await api.tool('list_peers')).text.includes('Gone'), 'web to be gone', 30_000)
    expect((await api.tool('list_peers')).text).toMatch(/Gone[^\n]*\n- web@laptop/)
    expect(api.hasMailFlag()).toBe(false)
  })

  test('acts for no machine but its own', async () => {
    await using office = await openOffice()
    const { hub, laptop, desktop } = office
    const line = await invite(hub, 'laptop')
    await laptop.shell(line)
    await using web = await startSession(laptop, { cwd: await laptop.project('web') })
    const stolen = await desktop.shell(line)
    expect(stolen.code).not.toBe(0)
    expect(stolen.stderr).toContain('another machine')
    await desktop.configure({ broker_url: HUB_URL, token: toToken(line) })
    await using thief = await startSession(desktop, { cwd: await desktop.project('web'), registered: false })
    const answer = await thief.tool('list_peers')
    expect(answer).toMatchObject({ isError: true, text: expect.stringContaining('another machine') })
    expect(thief.card()).toBeUndefined()
    expect((await web.tool('list_peers')).text).not.toContain('desktop')
  })
})
