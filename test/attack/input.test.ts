/** Inputs that are no sentence of the contract, through every procedure that takes one. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { appRouter } from '../../lib/router/router.ts'
import { openHub, takeSeat, type Seat, type TestHub } from '../harness/hub.ts'
import { exchange } from '../harness/raw.ts'
import { waitFor } from '../harness/wait.ts'
import { INTERNALS } from '../hub/one-hub.ts'
import { expectPlainPrototypes, expectQuietLog, expectUnharmed, MARK } from './fort.ts'

const MEGABYTE = 1_000_000
const types = appRouter._def.procedures as unknown as Record<
  string,
  { _def: { type: string; inputs: unknown[] } }
>

/** An input that each procedure takes; a new one of the contract must be attacked too. */
const EXAMPLES: Record<string, object> = {
  'hub.stop': { reason: 'asked' },
  'machines.invite': { label: 'desktop' },
  'machines.revoke': { machine: 'nobody' },
  'machines.join': { machine: { id: 'machine-desktop', host: 'desktop' } },
  'peers.register': {
    machine: { id: 'machine-of-tests', host: 'laptop' },
    kind: 'session',
    directory: '/src/attacker',
    root: '/src/attacker',
    isRepo: true,
    branch: 'main',
    summary: 'attacks',
    process: { pid: 1, start: 'x' },
    sessionId: 'session',
  },
  'peers.list': { scope: 'network', search: 'x', cursor: 'x', limit: 9 },
  'peers.nearest': { scope: 'network', search: 'x', limit: 9 },
  'peers.formerRoots': { machine: { id: 'machine-of-tests', host: 'laptop' }, root: '/src/attacker' },
  'peers.leave': { unused: false },
  'machines.list': { cursor: '1', limit: 9 },
  'peers.setSummary': { summary: 'works' },
  'peers.bindSession': { sessionId: 'session' },
  'peers.setActivity': { activity: 'busy', wakeable: false, headless: false },
  'peers.watch': { lastEventId: '1' },
  'messages.send': {
    to: 'target',
    scope: 'machine',
    message: 'hello',
    replyTo: 1,
    urgency: 'normal',
    expectsReplyWithin: 5,
    idempotencyKey: 'one-key-of-many',
  },
  'messages.status': { messageId: 1 },
  'messages.get': { messageId: 1 },
  'messages.retract': { messageId: 1 },
  'messages.history': { with: 'target', before: 9, limit: 5 },
  'messages.threads': { show: 'sent', limit: 5 },
  'messages.watch': { lastEventId: '1' },
  'mailbox.consume': { budget: 100, overhead: 0, skipIfOnlyFyi: false },
  'mailbox.ack': { offerId: 'o', unshown: [1] },
  'mailbox.release': { offerId: 'o' },
  'mailbox.confirm': { ids: [1] },
  'mailbox.requeue': { ids: [1], why: 'dropped' },
  'mailbox.peek': { limit: 5 },
  'mailbox.taken': { before: 9, limit: 5 },
  'mailbox.read': { messageId: 1, offset: 0, limit: 10 },
  'mailbox.watch': { lastEventId: '1' },
}

let hub: TestHub
let seat: Seat
beforeAll(async () => {
  // In this process, so that a polluted prototype would be seen.
  hub = await openHub()
  seat = await takeSeat(hub, 'attacker-seat')
  await takeSeat(hub, 'target')
})
afterEach(async () => {
  await expectUnharmed(hub)
  expectPlainPrototypes()
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
  const log = hub.lines.map((line) => JSON.stringify(line)).join('\n')
  expectQuietLog(log, [hub.token, seat.key.split('.')[1]!, MARK])
})

/** Calls a procedure with an input of exactly this text, in the way of its type. */
async function call(path: string, input: string): Promise<{ status: number; body: string }> {
  if (types[path]!._def.type !== 'mutation') return callBySocket(path, input)
  const headers = { ...seat.headers, 'content-type': 'application/json' }
  return exchange(`${hub.url}/trpc/${path}`, { method: 'POST', headers, body: input })
}

/** The input of a query may be too long for a URL, and a subscription has no other way. */
async function callBySocket(path: string, input: string): Promise<{ status: number; body: string }> {
  const socket = new WebSocket(`${hub.url.replace('http', 'ws')}/trpc`, { headers: seat.headers })
  const heard: string[] = []
  let closed: number | undefined
  socket.on('message', (data: Buffer) => heard.push(data.toString()))
  socket.on('close', (code) => (closed = code))
  await waitFor(() => socket.readyState === socket.OPEN, 'the socket')
  socket.send(`{"id":1,"method":"${types[path]!._def.type}","params":{"path":"${path}","input":${input}}}`)
  await waitFor(() => heard.length > 0 || closed !== undefined, 'an answer')
  socket.terminate()
  const body = heard[0] ?? ''
  return { status: closed ?? Number(/"httpStatus":(\d+)/.exec(body)?.[1] ?? 200), body }
}

const withInput = Object.entries(types)
  .filter(([, { _def }]) => _def.inputs.length > 0)
  .map(([path]) => path)

test('every procedure that takes an input is attacked', () => {
  expect(Object.keys(EXAMPLES).toSorted()).toEqual(withInput.toSorted())
})

describe('keys of a prototype in the input', () => {
  const KEYS = [
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
    'valueOf',
    'then',
    'toJSON',
  ]
  const poison = `{"polluted":true,"prototype":{"polluted":true},"__proto__":{"polluted":true},"online":true,"kind":"local","keyHash":"${MARK}"}`

  /** The input with a key added to each of its objects in turn. */
  function poisoned(value: unknown, key: string): string[] {
    if (typeof value !== 'object' || value === null) return []
    const own = Array.isArray(value)
      ? []
      : [`{"${key}":${poison},${JSON.stringify(value).slice(1)}`, `{"${key}":${poison}}`]
    const inner = Object.entries(value).flatMap(([name, part]) =>
      poisoned(part, key).map((text) => {
        const rest = JSON.stringify({ ...value, [name]: '@' })
        return rest.replace('"@"', () => text)
      }),
    )
    return [...own, ...inner]
  }

  test.each(withInput)('change nothing: %s', async (path) => {
    const example = EXAMPLES[path]!
    for (const key of KEYS) {
      for (const input of [...poisoned(example, key), `[${poison}]`, `{"0":${poison}}`]) {
        const { status, body } = await call(path, input)
        expect(status).toBeLessThan(500)
        expect(body).not.toMatch(/polluted/)
        // What was taken may tell the paths that it was given.
        expect(status >= 400 && INTERNALS.test(body)).toBe(false)
      }
    }
    expect((await exchange(`${hub.url}/trpc/peers.list`, { headers: hub.headers })).body).not.toContain(
      'polluted',
    )
  })

  test.each(['{"__proto__":{"0":{"reason":"asked"}}}', '{"constructor":{"0":{}}}', '{"length":2}', '"00"'])(
    'of a batch change nothing: %s',
    async (body) => {
      const asked = hub.asked.length
      const answer = await exchange(`${hub.url}/trpc/messages.retract,peers.setSummary?batch=1`, {
        method: 'POST',
        headers: { ...seat.headers, 'content-type': 'application/json' },
        body,
      })
      expect(answer.status).toBe(400)
      expect(hub.asked).toHaveLength(asked)
    },
  )
})

describe('ids and names of a megabyte', () => {
  const LONG = MARK + 'x'.repeat(MEGABYTE)

  /** The input with each of its texts in turn made long. */
  function lengthened(value: unknown): unknown[] {
    if (typeof value === 'string') return [LONG]
    if (typeof value !== 'object' || value === null) return []
    return Object.entries(value).flatMap(([name, part]) =>
      lengthened(part).map((long) => ({ ...value, [name]: long })),
    )
  }

  test.each(withInput.filter((path) => lengthened(EXAMPLES[path]).length > 0))(
    'are refused in few words: %s',
    async (path) => {
      for (const input of lengthened(EXAMPLES[path])) {
        const { status, body } = await call(path, JSON.stringify(input))
        expect([400, 413]).toContain(status)
        expect(body.length).toBeLessThan(1_000)
      }
    },
  )

  test('are refused in a list of addresses, and a list of a hundred thousand', async () => {
    const draft = EXAMPLES['messages.send'] as object
    for (const to of [[LONG], Array.from({ length: 100_000 }, () => 'api')]) {
      const { status, body } = await call('messages.send', JSON.stringify({ ...draft, to }))
      expect(status).toBe(400)
      expect(body.length).toBeLessThan(1_000)
    }
  })

  test('are refused as a key, a token and a path', async () => {
    const long = 'x'.repeat(MEGABYTE)
    const ask = (path: string, headers: Record<string, string>) =>
      exchange(hub.url + path, { headers: { ...hub.headers, ...headers } }).then(
        ({ status }) => status,
        (cause: NodeJS.ErrnoException) => cause.code,
      )
    for (const [path, headers] of [
      ['/trpc/hub.stats', { 'x-claude-peers-key': long }],
      ['/trpc/hub.stats', { authorization: `Bearer ${long}` }],
      [`/trpc/${long}`, {}],
      [`/trpc/messages.history?input=${long}`, {}],
    ] as [string, Record<string, string>][]) {
      // The hub hangs up while the client still sends.
      expect([431, 'ECONNRESET', 'EPIPE']).toContain(await ask(path, headers))
    }
  })
})

describe('numbers that are none', () => {
  test.each([
    '1e999',
    '-0',
    '1e-7',
    '9007199254740993',
    '1.5',
    '-1',
    '0',
    'null',
    '"1"',
    'true',
    '[1]',
    '{}',
  ])('%s as the id of a message finds nothing', async (number) => {
    for (const path of ['messages.status', 'messages.retract', 'mailbox.read']) {
      const { status } = await call(path, `{"messageId":${number}}`)
      expect([400, 404]).toContain(status)
    }
  })
})

describe('text that is none', () => {
  const send = (body: Buffer) =>
    exchange(`${hub.url}/trpc/messages.send`, {
      method: 'POST',
      headers: { ...seat.headers, 'content-type': 'application/json' },
      body,
    })
  const around = (bytes: number[]) => {
    const [before, after] = JSON.stringify({ ...EXAMPLES['messages.send'], message: '@' }).split('@')
    return Buffer.concat([Buffer.from(before!), Buffer.from(bytes), Buffer.from(after!)])
  }

  test.each([
    ['a lone continuation', [0x80]],
    ['half a character', [0xe2, 0x82]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['beyond Unicode', [0xf4, 0x90, 0x80, 0x80]],
    ['a byte that is never used', [0xff]],
  ])('is refused as UTF-8: %s', async (_, bytes) => {
    const answer = await send(around(bytes))
    expect(answer.status).toBe(400)
    expect(answer.body).toContain('not valid UTF-8')
  })

  test('is refused when it is UTF-16', async () => {
    expect((await send(Buffer.from(JSON.stringify(EXAMPLES['messages.send']), 'utf16le'))).status).toBe(400)
  })
})

describe('JSON that is deep or wide', () => {
  const DEPTH = 100_000
  const SHAPES: [string, string][] = [
    ['lists in lists', '['.repeat(DEPTH) + ']'.repeat(DEPTH)],
    ['lists that never end', '['.repeat(DEPTH * 5)],
    ['objects in objects', `${'{"a":'.repeat(DEPTH)}1${'}'.repeat(DEPTH)}`],
    ['a hundred thousand keys', `{${Array.from({ length: 80_000 }, (_, key) => `"k${key}":1`).join()}}`],
    ['one key over and over', `{${Array.from({ length: 100_000 }, () => '"message":1').join()}}`],
    ['a number of a megabyte', '1'.repeat(MEGABYTE)],
  ]
  test.each(SHAPES)('is refused in few words, as a whole and in every place: %s', async (_, text) => {
    for (const [path, example] of Object.entries(EXAMPLES)) {
      if (types[path]!._def.type !== 'mutation') continue
      const [name] = Object.keys(example)
      for (const input of [text, `{"${name}":${text}}`]) {
        const { status, body } = await call(path, input)
        expect([200, 400, 413]).toContain(status)
        expect(body.length).toBeLessThan(2_000)
      }
    }
  })

  test('is refused on a WebSocket', async () => {
    for (const [, text] of SHAPES) {
      const { status } = await callBySocket('messages.history', text)
      // Keys that it does not know are left out.
      expect([200, 400, 1009]).toContain(status)
    }
  })
})

describe('a batch of thousands', () => {
  test('is refused, by HTTP and on a WebSocket', async () => {
    const paths = Array.from({ length: 1_300 }, () => 'hub.health').join()
    const answer = await exchange(`${hub.url}/trpc/${paths}?batch=1`, { headers: hub.headers })
    expect(answer.status).toBe(400)
    const all = Array.from({ length: 5_000 }, (_, id) => ({
      id,
      method: 'query',
      params: { path: 'hub.health' },
    }))
    const socket = new WebSocket(`${hub.url.replace('http', 'ws')}/trpc`, { headers: hub.headers })
    const heard: string[] = []
    socket.on('message', (data: Buffer) => heard.push(data.toString()))
    await waitFor(() => socket.readyState === socket.OPEN, 'the socket')
    socket.send(JSON.stringify(all))
    expect(await waitFor(() => heard[0], 'an answer')).toContain('BAD_REQUEST')
    expect(heard.join()).not.toContain('"status":"ok"')
    socket.terminate()
  })

  test('of inputs is no batch of calls', async () => {
    const inputs = Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [index, {}]))
    const answer = await exchange(`${hub.url}/trpc/messages.retract?batch=1`, {
      method: 'POST',
      headers: { ...seat.headers, 'content-type': 'application/json' },
      body: JSON.stringify(inputs),
    })
    expect(JSON.parse(answer.body)).toHaveLength(1)
  })
})
