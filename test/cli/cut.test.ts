/** The command line while the way to the hub of another machine is broken. */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createHome } from '../harness/home.ts'
import { runHub } from '../harness/hub.ts'
import { joinAs } from '../harness/peer.ts'
import { openProxy } from '../harness/proxy.ts'
import { createRemoteHome } from '../harness/remote.ts'

async function open() {
  const stack = new AsyncDisposableStack()
  const hubHome = stack.use(await createHome({ host: 'studio' }))
  const hub = stack.use(await runHub(hubHome))
  const api = stack.use(await joinAs(hubHome, 'api'))
  const proxy = stack.use(await openProxy(hub.url))
  const home = stack.use(await createRemoteHome(hubHome, { url: proxy.url, host: 'laptop', install: false }))
  const textsOf = async () =>
    (await api.hub.mailbox.peek.query({})).messages.map(({ from, text }) => `${from}: ${text}`)
  return { api, proxy, home, textsOf, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

test('send keeps what a hub that is away does not take, says so, and the next command sends it first', async () => {
  await using world = await open()
  const { proxy, home } = world
  await proxy.cut()
  const one = await home.cli(['send', 'api@studio', 'one'])
  expect(one).toEqual({
    code: 0,
    stderr: '',
    stdout: `The hub at ${proxy.url} does not answer. The message is kept on this computer and sent as soon as the hub is back, before anything newer; its number is known then.\n`,
  })
  const two = await home.cli(['send', 'api@studio', 'two', '--json'])
  expect(JSON.parse(two.stdout)).toEqual({
    messageId: null,
    kept: { hub: proxy.url, at: expect.any(Number) },
  })
  const status = JSON.parse((await home.cli(['status', '--json'])).stdout)
  expect(status).toMatchObject({ running: false, kept: [{ hub: proxy.url, count: 2 }], refused: [] })
  await proxy.mend()
  expect((await home.cli(['send', 'api@studio', 'three'])).stdout).toMatch(/^Message 3 is stored/)
  expect(await world.textsOf()).toEqual(['user@laptop: one', 'user@laptop: two', 'user@laptop: three'])
  expect(JSON.parse((await home.cli(['status', '--json'])).stdout)).toMatchObject({ kept: [], refused: [] })
})

test('a hub that swallows everything is not waited for any longer than a few seconds', async () => {
  await using world = await open()
  world.proxy.freeze()
  const start = performance.now()
  expect((await world.home.cli(['send', 'api@studio', 'one'])).stdout).toContain('is kept on this computer')
  // It looks for the hub for 3 s; a call after that would take 5 s more.
  expect(performance.now() - start).toBeLessThan(7_500)
  await world.proxy.mend({ reset: true })
  await world.home.cli(['peers'])
  expect(await world.textsOf()).toEqual(['user@laptop: one'])
})

test('what the hub refuses is told at once, and of what was kept, by status', async () => {
  await using world = await open()
  const { proxy, home } = world
  const known = await home.cli(['send', 'nobody', 'x'])
  expect([known.code, known.stderr]).toEqual([1, expect.stringContaining('Nobody is called "nobody"')])
  await proxy.cut()
  const long = await home.cli(['send', 'api@studio'], { input: 'x'.repeat(65_537) })
  expect([long.code, long.stderr]).toEqual([1, expect.stringContaining('the limit is 65536')])
  expect((await home.cli(['send', 'nobody', 'are you there?'])).code).toBe(0)
  await proxy.mend()
  const { code, stdout } = await home.cli(['status'])
  expect(code).toBe(0)
  expect(stdout).toMatch(/^- to nobody, .*"are you there\?": NOT sent\. Nobody is called "nobody"/m)
})

test('a kept file that was damaged is named by status, and the others are sent', async () => {
  await using world = await open()
  const { proxy, home } = world
  await proxy.cut()
  for (const text of ['one', 'two']) await home.cli(['send', 'api@studio', text])
  const spool = join(home.path, '.claude-peers/spool')
  const [first] = readdirSync(spool)
  writeFileSync(join(spool, first!), '{"hub":')
  await proxy.mend()
  const { stdout } = await home.cli(['status'])
  expect(stdout).toContain(`- ~/.claude-peers/spool/${first!} cannot be read: `)
  expect(await world.textsOf()).toEqual(['user@laptop: two'])
})

test('a hub of this machine is started as ever, and nothing is kept', async () => {
  await using home = await createHome()
  const { code, stderr } = await home.cli(['send', 'nobody', 'x'])
  expect([code, stderr]).toEqual([1, expect.stringContaining('Nobody is called')])
  expect(JSON.parse((await home.cli(['status', '--json'])).stdout)).toMatchObject({ kept: [], refused: [] })
})
