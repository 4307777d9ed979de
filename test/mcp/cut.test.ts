/** What sessions do while the way to their hub on another machine is broken. */
import { expect, test } from 'vitest'
import { isCutOff } from '../../lib/machine/cards.ts'
import { readProcess } from '../../lib/machine/processes.ts'
import { createHome, type Home } from '../harness/home.ts'
import { runHub } from '../harness/hub.ts'
import { openProxy, type Proxy } from '../harness/proxy.ts'
import { createRemoteHome } from '../harness/remote.ts'
import { startSession, type Session } from '../harness/session.ts'
import { waitFor } from '../harness/wait.ts'

type Receipt = { to: string; state: string }

const send = (from: Session, to: string, message: string) => from.tool('send_message', { to, message })
const textsIn = (frame: string) => [...frame.matchAll(/^(?:a|b)\d+$/gm)].map(([text]) => text)

/** A hub that can be killed and comes back on its port, a way to it for each of two machines, and a session on each. */
async function openTwo() {
  const stack = new AsyncDisposableStack()
  const hubHome = stack.use(await createHome({ host: 'studio' }))
  let hub = await runHub(hubHome)
  stack.defer(() => hub[Symbol.asyncDispose]())
  const join = async (host: string) => {
    const proxy = stack.use(await openProxy(hub.url))
    const home = stack.use(await createRemoteHome(hubHome, { url: proxy.url, host }))
    const session = stack.use(await startSession(home, { cwd: await home.project('api') }))
    return { proxy, home, session }
  }
  const [one, two] = [await join('laptop'), await join('desktop')]
  return {
    one,
    two,
    hubHome,
    async crash() {
      hub.kill('SIGKILL')
      await hub.exited
    },
    async restart() {
      hub = await runHub(hubHome, { env: { CLAUDE_PEERS_PORT: new URL(hub.url).port } })
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

test('two machines write to each other through a cut and a crash of the hub: all of it arrives once, in order', async () => {
  await using world = await openTwo()
  const { one, two } = world
  const names = [one.session.card()!.name, two.session.card()!.name]
  const peers = [one.session.card()!.peerId, two.session.card()!.peerId]
  await one.proxy.cut()
  two.proxy.freeze()
  for (let count = 1; count <= 4; count++) {
    const kept = await send(one.session, 'api@desktop', `a${count}`)
    expect(kept.data).toMatchObject({
      message_id: null,
      recipients: [],
      detail: `The hub at ${one.proxy.url} does not answer. The message is kept on this computer and sent as soon as the hub is back, before anything newer; its number is known then.`,
    })
    expect((await send(two.session, 'api@laptop', `b${count}`)).data['message_id']).toBeNull()
  }
  await world.crash()
  await world.restart()
  await one.proxy.mend()
  await two.proxy.mend({ reset: true })
  const received = { one: [] as string[], two: [] as string[] }
  await waitFor(
    async () => {
      received.one.push(...textsIn(await one.session.deliver('UserPromptSubmit')))
      received.two.push(...textsIn(await two.session.deliver('UserPromptSubmit')))
      return received.one.length >= 4 && received.two.length >= 4
    },
    'the mail of the cut',
    40_000,
  )
  received.one.push(...textsIn(await one.session.deliver('UserPromptSubmit')))
  received.two.push(...textsIn(await two.session.deliver('UserPromptSubmit')))
  expect(received).toEqual({ one: ['b1', 'b2', 'b3', 'b4'], two: ['a1', 'a2', 'a3', 'a4'] })
  expect([one.session.card()!.name, two.session.card()!.name]).toEqual(names)
  expect([one.session.card()!.peerId, two.session.card()!.peerId]).toEqual(peers)
  const { data, text } = await one.session.tool('check_messages', { show: 'sent' })
  expect(data['message_ids']).toHaveLength(4)
  for (const id of data['message_ids'] as number[]) {
    const status = await one.session.tool('message_status', { message_id: id })
    expect(status.data['recipients']).toEqual([
      expect.objectContaining<Receipt>({ to: 'api@desktop', state: 'delivered' }),
    ])
  }
  expect(text).toMatch(/Message \d+ is stored now: what you wrote to api@desktop/)
  // Said once.
  expect((await one.session.tool('list_peers')).text).not.toContain('is stored now')
}, 90_000)

/** One session whose hub is behind a way that can be broken, and another that lives with the hub. */
async function openOne() {
  const stack = new AsyncDisposableStack()
  const hubHome = stack.use(await createHome({ host: 'studio', install: true }))
  const hub = stack.use(await runHub(hubHome))
  const near = stack.use(await startSession(hubHome, { cwd: await hubHome.project('near') }))
  const proxy = stack.use(await openProxy(hub.url))
  const home = stack.use(await createRemoteHome(hubHome, { url: proxy.url, host: 'laptop' }))
  const far = stack.use(await startSession(home, { cwd: await home.project('far') }))
  return { hub, near, proxy, home, far, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

const breaks: [string, (proxy: Proxy) => unknown][] = [
  ['refuses', (proxy) => proxy.cut()],
  ['swallows everything', (proxy) => proxy.freeze()],
  ['brings no answer', (proxy) => proxy.freeze('down')],
]

test.each(breaks)(
  'a way that %s: every tool answers by its deadline, and what is sent arrives once it is mended, once',
  async (_, breakIt) => {
    await using world = await openOne()
    const { near, far, proxy } = world
    await breakIt(proxy)
    const calls: [string, Record<string, unknown>][] = [
      ['list_peers', {}],
      ['message_status', { message_id: 1 }],
      ['set_summary', { summary: 'cut off' }],
      ['check_messages', {}],
      ['send_message', { to: 'near@studio', message: 'a1' }],
    ]
    for (const [name, args] of calls) {
      const start = performance.now()
      const { isError, text } = await far.tool(name, args)
      // The deadline is 1.5 s; a call that waits for the hub takes 5 s and longer.
      expect([name, performance.now() - start < 4_000]).toEqual([name, true])
      expect([name, isError]).toEqual([name, name === 'send_message' ? undefined : true])
      expect(text).toContain(`The hub at ${proxy.url} does not answer`)
    }
    const { text } = await far.tool('check_messages', { show: 'sent' })
    expect(text).toMatch(/- no number yet, to near@studio: "a1" \[kept on this computer since /)
    await proxy.mend()
    await waitFor(() => near.hasMailFlag(), 'the mail', 40_000)
    expect(textsIn(await near.deliver('UserPromptSubmit'))).toEqual(['a1'])
    const sent = await far.tool('send_message', { to: 'near@studio', message: 'a2' })
    expect(sent.data['message_id']).toBeTypeOf('number')
    await waitFor(() => near.hasMailFlag(), 'the mail')
    expect(textsIn(await near.deliver('UserPromptSubmit'))).toEqual(['a2'])
  },
  90_000,
)

test('mail that came while an idle session was cut off wakes it once the way is mended', async () => {
  await using world = await openOne()
  const { near, far, proxy } = world
  await proxy.cut()
  await waitFor(
    () => isCutOff(`${world.home.path}/.claude-peers/sessions`, far.card()!),
    'the cut to be noticed',
  )
  await far.hook('Stop')
  const waiter = far.waiter('Stop')
  expect((await send(near, 'far@laptop', 'a1')).data['message_id']).toBeTypeOf('number')
  expect(far.hasMailFlag()).toBe(false)
  await proxy.mend()
  expect((await waiter).map(({ code }) => code)).toEqual([2])
  expect(textsIn(await far.deliver('UserPromptSubmit'))).toEqual(['a1'])
}, 90_000)

test('what the hub refuses of kept mail is told with the next answer, and what is too long is never kept', async () => {
  await using world = await openOne()
  const { far, proxy, home } = world
  await proxy.cut()
  const long = await send(far, 'near@studio', 'x'.repeat(65_537))
  expect(long).toMatchObject({ isError: true, text: expect.stringContaining('the limit is 65536') })
  await send(far, 'nobody-at-all', 'a1')
  expect((await send(far, 'near@studio', 'a2')).data['message_id']).toBeNull()
  const status = await home.cli(['status'])
  expect(status.code).toBe(3)
  expect(status.stdout).toContain(`On this computer: 2 messages wait for the hub at ${proxy.url} to answer`)
  await proxy.mend()
  const told = await waitFor(
    async () => {
      const { data, text } = await far.tool('list_peers')
      return text.includes('NOT sent') ? { data, text } : undefined
    },
    'the refusal',
    40_000,
  )
  expect(told.data['news']).toContain('what you wrote to nobody-at-all at ')
  expect(told.data['news']).toContain('Nobody is called "nobody-at-all"')
  expect((await far.tool('list_peers')).text).not.toContain('NOT sent')
  await waitFor(() => world.near.hasMailFlag(), 'the mail behind it')
  expect(textsIn(await world.near.deliver('UserPromptSubmit'))).toEqual(['a2'])
}, 90_000)

test('what a session wrote that is gone is sent by the next one of its machine, from its seat', async () => {
  await using world = await openOne()
  const { near, far, proxy, home } = world
  const seat = far.card()!.peerId
  await proxy.cut()
  await send(far, 'near@studio', 'a1')
  await far.kill('SIGKILL')
  await using other = await startSession(home, { cwd: await home.project('other'), registered: false })
  await proxy.mend()
  await waitFor(() => other.card(), 'the other session', 40_000)
  await waitFor(() => near.hasMailFlag(), 'the mail', 40_000)
  expect(await near.deliver('UserPromptSubmit')).toContain('from="far@laptop"')
  const { list } = JSON.parse((await home.cli(['status', '--json'])).stdout) as {
    list: { id: string; name: string }[]
  }
  expect(list.find((peer) => peer.name === 'far')?.id).toBe(seat)
}, 90_000)

test('a session that was killed with its server leaves its name to the next one at once', async () => {
  await using world = await openOne()
  const { near, far, home } = world
  const { peerId } = far.card()!
  await far.killMcp()
  await send(near, 'far@laptop', 'b1')
  await far.kill('SIGKILL')
  await using next = await startSession(home, { cwd: await home.project('far') })
  expect(next.card()).toMatchObject({ peerId, name: 'far' })
  await waitFor(() => next.hasMailFlag(), 'the mail')
}, 60_000)

test('a server that is killed before it hears that the hub has its message sends it once', async () => {
  await using world = await openOne()
  const { near, far, proxy } = world
  // It knows the hub, so that its message goes there without a look whether one answers.
  await far.tool('list_peers')
  proxy.freeze('down')
  expect((await send(far, 'near@studio', 'a1')).data['message_id']).toBeNull()
  await waitFor(() => near.hasMailFlag(), 'the mail', 40_000)
  await far.killMcp()
  await proxy.mend({ reset: true })
  await far.startMcp(0)
  await waitFor(async () => !(await far.tool('list_peers')).isError, 'the link')
  expect((await send(far, 'near@studio', 'a2')).data['message_id']).toBe(2)
  const received: string[] = []
  await waitFor(async () => {
    received.push(...textsIn(await near.deliver('UserPromptSubmit')))
    return received.includes('a2')
  }, 'both')
  expect(received).toEqual(['a1', 'a2'])
}, 60_000)

async function pidsOf(home: Home): Promise<number> {
  return (await home.rendezvous()).pid
}

test('clients neither start nor stop a remote hub, nor replace an older one', async () => {
  await using world = await openOne()
  const { home, hub, proxy } = world
  expect(readProcess(hub.pid)).toBeDefined()
  const stopped = await home.cli(['stop'])
  expect(stopped.code).not.toBe(0)
  await proxy.cut()
  await home.cli(['peers'])
  await home.cli(['send', 'near@studio', 'a1'])
  await world.far.restartMcp()
  await expect(pidsOf(home)).rejects.toThrow('ENOENT')
  expect(readProcess(hub.pid)?.ended).toBe(false)
}, 60_000)
