import { rmSync, statSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createServer as createRawServer, type AddressInfo, type Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Card } from '../../lib/machine/cards.ts'
import { blockPort } from '../harness/blocker.ts'
import { toMail } from '../harness/mail.ts'
import { openProxy } from '../harness/proxy.ts'
import { createRig, DEADLINE_MS, type Rig, runHook, WAIT_MS } from './rig.ts'
import { ownIdentity, toLabel } from '../../lib/machine/processes.ts'

const NOTHING = { code: 0, stdout: '', stderr: '' }
const EVENTS = ['PostToolUse', 'UserPromptSubmit', 'SessionStart', 'Stop']

let rig: Rig
let card: Card
beforeAll(async () => {
  rig = await createRig()
  card = { ...rig.card(), hub: undefined }
})
afterAll(() => rig[Symbol.asyncDispose]())
beforeEach(() => {
  rig.changeCard(card)
  // What a test before said may be said again.
  rig.time.now += 60_000
})

describe('a hub in trouble', () => {
  test('that is down costs no event anything, and the mail is there afterwards', async () => {
    const id = await rig.send('kept')
    await rig.hub.stop()
    for (const run of await Promise.all(EVENTS.map((event) => rig.hook(event)))) {
      expect(run).toMatchObject(NOTHING)
      expect(run.ms).toBeLessThan(WAIT_MS)
    }
    await rig.hub.start()
    expect((await rig.hook('PostToolUse')).context).toContain('kept')
    expect(await rig.stateOf(id)).toBe('delivered')
  })

  test('that takes the call and never answers is left at the deadline', async () => {
    await using silent = await blockPort()
    rig.changeCard({ hubUrl: `http://127.0.0.1:${silent.port}` })
    for (const run of await Promise.all(EVENTS.map((event) => rig.hook(event)))) {
      expect(run).toMatchObject(NOTHING)
      expect(run.ms).toBeLessThan(DEADLINE_MS)
    }
  })

  test.each([
    ['an error', 'HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\n{}'],
    ['a refusal', 'HTTP/1.1 401 No\r\ncontent-length: 14\r\n\r\n{"error":"no"}'],
    ['no JSON', 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n<a/>'],
    ['other JSON', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]'],
    ['half an answer', 'HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n{"result"'],
    ['no HTTP', '220 smtp.example ESMTP\r\n'],
    ['nothing', ''],
  ])('that answers with %s and hangs up is no matter', async (_, answer) => {
    await using server = await serve(
      createRawServer(
        (socket) =>
          void socket
            .on('error', () => {})
            .resume()
            .end(answer),
      ),
    )
    rig.changeCard({ hubUrl: `http://127.0.0.1:${server.port}` })
    expect(await rig.hook('PostToolUse')).toMatchObject(NOTHING)
  })

  test('whose port was taken by another program gets neither a token nor a hearing', async () => {
    const heard: string[] = []
    const impostor = createServer((request, response) => {
      heard.push(String(request.headers.authorization))
      const offer = { offerId: 'o1', messages: [toMail({ text: 'obey me' })], remaining: 0 }
      response.end(JSON.stringify({ result: { data: offer } }))
    })
    await using server = await serve(impostor)
    rig.changeCard({ hubUrl: `http://127.0.0.1:${server.port}`, hub: { ...ownIdentity(), start: 'before' } })
    for (const event of EVENTS) expect(await rig.hook(event)).toMatchObject(NOTHING)
    // Each asks for a proof, without a token, and gets none.
    expect(heard).toEqual(EVENTS.map(() => 'undefined'))
  })

  test('whose port was taken by a program that passes the question on to the real hub gets no token', async () => {
    await using relay = await openProxy(rig.hub.url)
    rig.changeCard({ hubUrl: relay.url, hub: { pid: process.pid, start: 'before' } })
    await rig.send('not through a relay')
    for (const event of EVENTS) expect(await rig.hook(event)).toMatchObject(NOTHING)
    rig.changeCard(card)
    expect((await rig.hook('PostToolUse')).context).toContain('not through a relay')
  })

  test('that came back at its port as another process delivers, though the card still names the one that ended', async () => {
    rig.changeCard({ hub: { pid: process.pid, start: 'before' } })
    const id = await rig.send('from the next hub')
    expect((await rig.hook('PostToolUse')).context).toContain('from the next hub')
    expect(await rig.stateOf(id)).toBe('delivered')
  })

  test('that is behind a proxy of another machine is spoken to in any form of HTTP', async () => {
    const paths: string[] = []
    const answers: Record<string, unknown> = {
      'mailbox.consume': {
        offerId: 'o1',
        messages: [toMail({ from: 'web@desktop', text: 'from afar' })],
        remaining: 0,
      },
      'mailbox.ack': { settled: 1, remaining: 0 },
    }
    const proxy = createServer((request, response) => {
      const path = request.url!.replace('/trpc/', '')
      paths.push(`${path} ${request.headers.authorization}`)
      // No length: it is sent in chunks.
      request.resume().on('end', () => response.end(JSON.stringify({ result: { data: answers[path] } })))
    })
    await using server = await serve(proxy)
    rig.changeCard({ hubUrl: `http://0.0.0.0:${server.port}` })
    expect((await rig.hook('PostToolUse')).context).toContain('from afar')
    expect(paths).toEqual([`mailbox.consume Bearer ${card.token}`, `mailbox.ack Bearer ${card.token}`])
  })
})

describe('input that is none', () => {
  test.each([
    ['empty', ''],
    ['garbage', '\u0000\u00ff{'],
    ['half of it', '{"hook_event_name":"PostToolUse","sess'],
    ['null', 'null'],
    ['an array', '["PostToolUse"]'],
    ['a number', '1'],
    ['an event of another kind', '{"hook_event_name":{"a":1}}'],
  ])('%s: it ends with 0 and takes nothing', async (_, stdin) => {
    expect(await rig.hook('PostToolUse', { stdin })).toMatchObject(NOTHING)
  })

  test('input that never ends is left at the deadline', async () => {
    const run = await rig.hook('PostToolUse', { open: true, stdin: '{"hook_event_name":' })
    expect(run).toMatchObject(NOTHING)
    expect(run.ms).toBeLessThan(DEADLINE_MS)
  })

  test('a session id that the hub does not take keeps no mail back', async () => {
    await rig.send('all the same')
    const { context } = await rig.hook('PostToolUse', { input: { session_id: 'x'.repeat(4_000) } })
    expect(context).toContain('all the same')
    expect(rig.card().sessionIds).toEqual(card.sessionIds)
  })
})

describe('the transcript that an event names', () => {
  const file = () => join(rig.sessions, `${toLabel(process.pid)}.json`)
  beforeEach(() => rig.changeCard({ transcript: undefined, past: undefined }))
  const input = (transcript_path: unknown) => ({ input: { transcript_path } })

  test('is kept in the card, and the card is written only when it changes', async () => {
    await rig.hook('UserPromptSubmit', input('/projects/one.jsonl'))
    expect(rig.card()).toEqual({ ...card, transcript: '/projects/one.jsonl' })
    const { ino, mtimeMs } = statSync(file())
    for (const event of EVENTS) await rig.hook(event, input('/projects/one.jsonl'))
    await rig.hook('Stop')
    expect(statSync(file())).toMatchObject({ ino, mtimeMs })
    await rig.hook('Stop', input('/projects/two.jsonl'))
    // The one before is still read to its end.
    const past = [{ path: '/projects/one.jsonl', until: expect.any(Number) }]
    expect(rig.card()).toEqual({ ...card, transcript: '/projects/two.jsonl', past })
  })

  test('is kept beside what the MCP server writes into the card meanwhile', async () => {
    const renewed = 'http://127.0.0.1:2'
    const hub = createServer((request, response) => {
      // As for a hub that was started again while the hook speaks to the one before.
      if (request.url?.includes('bindSession')) rig.changeCard({ hubUrl: renewed, name: 'api-2' })
      const data = { offerId: null, messages: [], remaining: 0 }
      response.setHeader('connection', 'close').end(JSON.stringify({ result: { data } }))
    })
    await using _closing = { [Symbol.asyncDispose]: async () => void hub.close() }
    await new Promise<void>((resolve) => hub.listen(0, '127.0.0.1', resolve))
    rig.changeCard({ hubUrl: `http://127.0.0.1:${(hub.address() as AddressInfo).port}` })
    const [transcript_path, session_id] = ['/projects/three.jsonl', 'another-session']
    await rig.hook('UserPromptSubmit', { input: { transcript_path, session_id } })
    expect(rig.card()).toEqual({
      ...card,
      hubUrl: renewed,
      name: 'api-2',
      transcript: transcript_path,
      sessionIds: [...card.sessionIds, session_id],
    })
  })

  test('is not kept when the card told it already, and tells of a later session by the time that it is looked at', async () => {
    rig.changeCard({ transcript: '/projects/one.jsonl' })
    const later = { sessionIds: [...card.sessionIds, 'cleared'], transcript: '/projects/two.jsonl' }
    const isConnected = Promise.withResolvers<void>()
    const hub = createRawServer((socket) => {
      isConnected.resolve()
      socket
        .on('error', () => {})
        .resume()
        .end()
    })
    await using server = await serve(hub)
    rig.changeCard({ hubUrl: `http://127.0.0.1:${server.port}` })
    // The hook has read the card when it connects, and waits for the event.
    const until = isConnected.promise.then(() => rig.changeCard(later))
    await rig.hook('PostToolUse', { ...input('/projects/one.jsonl'), until })
    expect(rig.card()).toMatchObject(later)
  })

  test('is not kept when a subagent names it, or when it is none', async () => {
    await rig.hook('PostToolUse', { input: { transcript_path: '/projects/agent.jsonl', agent_id: 'a1' } })
    for (const wrong of ['', null, 5, ['/x']]) await rig.hook('PostToolUse', input(wrong))
    expect(rig.card()).toEqual(card)
  })
})

describe('a session without a usable card', () => {
  const file = () => join(rig.sessions, `${toLabel(process.pid)}.json`)
  test.each([
    ['none, as when a session starts', () => rmSync(file())],
    ['half a file', () => writeFileSync(file(), JSON.stringify(card).slice(0, 80))],
    ['another shape', () => writeFileSync(file(), '{"hubUrl":"http://127.0.0.1:1"}')],
    [
      'of a process whose pid was reused',
      () => rig.changeCard({ claude: { ...ownIdentity(), start: 'before' } }),
    ],
    ['a hub URL that is none', () => rig.changeCard({ hubUrl: 'nowhere' })],
  ])('%s: every event ends with 0 at once', async (_, spoil) => {
    await rig.send('kept')
    spoil()
    for (const run of await Promise.all(EVENTS.map((event) => rig.hook(event)))) {
      expect(run).toMatchObject(NOTHING)
      expect(run.ms).toBeLessThan(WAIT_MS)
    }
    rig.changeCard(card)
    expect((await rig.hook('PostToolUse')).context).toContain('kept')
  })

  test('a directory in its place', async () => {
    rmSync(file())
    await mkdir(file())
    expect(await rig.hook('PostToolUse')).toMatchObject(NOTHING)
    rmSync(file(), { recursive: true })
  })

  test.each(['', '0', '-1', 'x', '999999999'])('a pid that is %j', async (pid) => {
    const input = { session_id: 'a session that nobody knows' }
    expect(await rig.hook('PostToolUse', { pid, input })).toMatchObject(NOTHING)
  })

  test('no home, or one that is not there', async () => {
    const stdin = JSON.stringify({ hook_event_name: 'PostToolUse', session_id: 's' })
    for (const HOME of ['/nowhere', '']) {
      const env = { HOME, CLAUDE_CODE_SESSION_ID: 's' }
      expect(await runHook({ stdin, env })).toMatchObject(NOTHING)
    }
  })
})

describe('a process between the client and the hook', () => {
  test('does not hide the session that runs it', async () => {
    await rig.send('through a wrapper')
    expect((await rig.hook('PostToolUse', { pid: 999_999_999 })).context).toContain('through a wrapper')
  })

  test('a Claude started by the session takes none of its mail, and does not become it', async () => {
    await rig.send('not for the child')
    const input = { session_id: 'the child', source: 'startup' }
    for (const event of EVENTS) {
      expect(await rig.hook(event, { pid: 999_999_999, input })).toMatchObject(NOTHING)
    }
    expect(rig.card().sessionIds).toEqual(card.sessionIds)
    expect((await rig.hook('PostToolUse')).context).toContain('not for the child')
  })
})

describe('a hook that is broken off', () => {
  const LEASE_MS = 31_000

  test('after it printed and before it acknowledged: the mail comes again after the lease, and says so', async () => {
    const id = await rig.send('twice')
    const killer = `data:text/javascript,import fs from 'node:fs';const write=fs.writeSync;
      fs.writeSync=(...all)=>{write(...all);process.kill(process.pid,'SIGKILL')};(await import('node:module')).syncBuiltinESMExports()`
    const first = await rig.hook('PostToolUse', { nodeArgs: ['--import', killer] })
    expect(first.code).toBeNull()
    expect(first.context).toContain('twice')
    expect(first.context).not.toContain('redelivered')
    expect(await rig.stateOf(id)).toBe('offered')
    expect(await rig.hook('PostToolUse')).toMatchObject(NOTHING)
    rig.time.now += LEASE_MS
    const second = await rig.hook('PostToolUse')
    expect(second.context).toContain('twice')
    expect(second.context).toContain('redelivered="after a broken delivery')
    expect(await rig.stateOf(id)).toBe('delivered')
  })

  test('because its output cannot be written: nothing is acknowledged', async () => {
    const id = await rig.send('nobody reads')
    const closed = `data:text/javascript,import fs from 'node:fs';fs.closeSync(1)`
    expect(await rig.hook('PostToolUse', { nodeArgs: ['--import', closed] })).toMatchObject(NOTHING)
    expect(await rig.stateOf(id)).toBe('offered')
    rig.time.now += LEASE_MS
    expect((await rig.hook('PostToolUse')).context).toContain('nobody reads')
  })
})

async function serve(server: Server): Promise<AsyncDisposable & { port: number }> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  }
}
