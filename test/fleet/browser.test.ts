import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createHome, type Home } from '../harness/home.ts'
import { runHub, stockClient, takeSeat, type HubProcess, type Seat } from '../harness/hub.ts'
import type { Page } from 'playwright-core'
import { openCareless } from './careless.ts'
import { openBrowser, REBOUND, type Browser } from './browser.ts'
import { attacks, type Target } from './page-attacks.ts'

let home: Home
let hub: HubProcess
let victim: Seat
let browser: Browser
const stack = new AsyncDisposableStack()

beforeAll(async () => {
  home = stack.use(await createHome())
  hub = stack.use(await runHub(home))
  victim = await takeSeat(hub, 'victim')
  browser = stack.use(await openBrowser())
})
afterAll(() => stack.disposeAsync())

const port = () => new URL(hub.url).port
/** Of the right form, and not the hub's. */
const forged = () => ({ token: 'x'.repeat(hub.token.length), key: victim.key })
/** What the hub knows, but for how many sockets it counts. */
async function readState() {
  const client = stockClient(hub)
  const { sockets: _, ...stats } = await client.hub.stats.query()
  return { stats, peers: await client.peers.list.query(), ...(await client.messages.history.query({})) }
}

type LogLine = { level: number; status?: number; refused?: Record<string, number> }

/** Lets a page try everything, one after the other, and gives what it could read. */
async function attack(page: Page, target: Target) {
  const read: Record<string, unknown> = {}
  for (const [name, toScript] of attacks) {
    const found: unknown = await page.evaluate(toScript(target))
    if (found !== '') read[name] = found
  }
  return read
}

test('the attacks read what a program without a guard tells', async () => {
  await using careless = await openCareless()
  const page = await browser.openPage()
  const read = await attack(page, { url: careless.url, ...forged() })
  await page.close()
  const readers = attacks
    .map(([name]) => name)
    .filter((name) => !/beacon|form|without CORS|script|a frame/.test(name))
  expect(Object.keys(read)).toEqual(expect.arrayContaining([...readers, 'a frame without an origin']))
  const forms = ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']
  expect([...careless.posted]).toEqual(expect.arrayContaining([...forms, 'application/json']))
})

describe('a page of another origin reads nothing and changes nothing', () => {
  test.each([
    ['by the address', '127.0.0.1', '127.0.0.1'],
    ['by localhost', '127.0.0.1', 'localhost'],
    ['from localhost', 'localhost', '127.0.0.1'],
    ['by 0.0.0.0', '127.0.0.1', '0.0.0.0'],
    ['by a name that leads here', 'page.test', REBOUND],
  ])('%s', async (_, own, name) => {
    const before = await readState()
    const page = await browser.openPage(own)
    const url = `http://${name}:${port()}`
    expect(await attack(page, { url, ...forged() })).toEqual({})
    await page.close()
    expect(await readState()).toEqual(before)
  })

  test('not even with the true token and key', async () => {
    const before = await readState()
    const page = await browser.openPage()
    expect(await attack(page, { url: hub.url, token: hub.token, key: victim.key })).toEqual({})
    await page.close()
    expect(await readState()).toEqual(before)
  })
})

test('a page whose own name was bound to the hub is told only that it is wrong', async () => {
  const before = await readState()
  const url = `http://${REBOUND}:${port()}`
  const page = await browser.openPageOf(url)
  const read = await attack(page, { url, token: hub.token, key: victim.key })
  for (const [name, text] of Object.entries(read)) {
    expect([name, text]).toEqual([name, expect.stringContaining('not known by that Host')])
  }
  // That it was the hub who answered.
  expect(Object.keys(read)).toContain('a GET with the token')
  await page.close()
  expect(await readState()).toEqual(before)
})

test('a tab that a page opens shows nothing of the hub but its health', async () => {
  const page = await browser.openPage()
  const answer = await page.goto(`${hub.url}/trpc/hub.stats`)
  expect(answer!.status()).toBe(401)
  expect((await page.goto(`http://${REBOUND}:${port()}/health`))!.status()).toBe(421)
  await page.close()
})

test('it was the hub that refused all that, unharmed, and its log tells of it without a secret', async () => {
  const friend = await takeSeat(hub, 'friend')
  const input = { to: 'victim', message: 'still here', idempotencyKey: 'key-of-the-end' }
  await friend.client.messages.send.mutate(input)
  const { messages } = await victim.client.mailbox.consume.mutate({ budget: 1_000 })
  expect(messages.map((message) => message.text)).toEqual(['still here'])
  // At its end it writes down what it has counted.
  hub.kill('SIGTERM')
  expect(await hub.exited).toBe(0)
  const log = await readFile(join(home.path, '.claude-peers/hub.log'), 'utf8')
  const lines = log.split('\n').flatMap((line) => (line === '' ? [] : (JSON.parse(line) as LogLine)))
  const refused: Record<string, number> = {}
  const count = (status: string | number, more: number) => (refused[status] = (refused[status] ?? 0) + more)
  for (const line of lines) {
    if (line.status !== undefined) count(line.status, 1)
    for (const [status, more] of Object.entries(line.refused ?? {})) count(status, more)
  }
  expect(Object.keys(refused)).toEqual(['401', '403', '421'])
  // From every page, most of what it tried.
  expect(refused['403']).toBeGreaterThan((6 * attacks.length) / 2)
  expect(refused['421']).toBeGreaterThan(attacks.length / 2)
  for (const secret of [hub.token, victim.key, victim.key.split('.')[1]!, forged().token]) {
    expect(log).not.toContain(secret)
  }
  expect(lines.filter(({ level }) => level >= 50)).toEqual([])
})
