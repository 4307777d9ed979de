import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { busySince, setBusy, type Card } from '../../lib/machine/cards.ts'
import { ownIdentity } from '../../lib/machine/processes.ts'
import { blockPort } from '../harness/blocker.ts'
import { toMail } from '../harness/mail.ts'
import { createRig, type Rig } from './rig.ts'

let rig: Rig
let card: Card
beforeAll(async () => {
  rig = await createRig()
  card = { ...rig.card(), hub: undefined }
})
afterAll(() => rig[Symbol.asyncDispose]())
beforeEach(() => {
  rig.changeCard(card)
  setBusy(rig.sessions, process.pid, false)
})
const isBusy = () => busySince(rig.sessions, process.pid) !== undefined

describe('the mark of a turn that runs', () => {
  test('is set by a prompt, kept by a tool call, and gone after the stop', async () => {
    await rig.hook('UserPromptSubmit')
    expect(isBusy()).toBe(true)
    await rig.hook('PostToolUse')
    expect(isBusy()).toBe(true)
    await rig.hook('Stop')
    expect(isBusy()).toBe(false)
    await rig.hook('PostToolUse')
    expect(isBusy()).toBe(false)
  })

  test('is set by a tool call that carries mail, and kept by a stop that does', async () => {
    await rig.send('one')
    await rig.hook('PostToolUse')
    expect(isBusy()).toBe(true)
    await rig.send('two')
    expect((await rig.hook('Stop')).context).toContain('two')
    expect(isBusy()).toBe(true)
    await rig.send('only for information', { urgency: 'fyi' })
    await rig.hook('Stop')
    expect(isBusy()).toBe(false)
    await rig.hook('SessionStart')
  })

  test('is told anew by each prompt', async () => {
    await rig.hook('UserPromptSubmit')
    const first = busySince(rig.sessions, process.pid)!
    await rig.hook('UserPromptSubmit')
    expect(busySince(rig.sessions, process.pid)).toBeGreaterThan(first)
  })

  test.each([
    ['startup', false],
    ['resume', false],
    ['clear', false],
    ['compact', true],
  ])('after a start of the kind %s it is there: %s', async (source, expected) => {
    await rig.hook('UserPromptSubmit')
    await rig.hook('SessionStart', { input: { source } })
    expect(isBusy()).toBe(expected)
  })

  test('is no business of a subagent', async () => {
    await rig.hook('UserPromptSubmit', { input: { agent_id: 'a1' } })
    expect(isBusy()).toBe(false)
    await rig.hook('UserPromptSubmit')
    await rig.hook('Stop', { input: { agent_id: 'a1' } })
    expect(isBusy()).toBe(true)
  })

  test('is kept right without a hub: one that ended, one that refuses, one that never answers', async () => {
    await using silent = await blockPort()
    const hubs: Partial<Card>[] = [
      { hub: { ...ownIdentity(), start: 'before' } },
      { hubUrl: 'http://127.0.0.1:1' },
      { hubUrl: `http://127.0.0.1:${silent.port}` },
    ]
    for (const hub of hubs) {
      rig.changeCard({ ...card, ...hub })
      expect(await rig.hook('UserPromptSubmit')).toMatchObject({ code: 0, stdout: '' })
      expect(isBusy()).toBe(true)
      expect(await rig.hook('Stop')).toMatchObject({ code: 0, stdout: '' })
      expect(isBusy()).toBe(false)
    }
  })
})

test('mail that arrives while a stop looks for it holds the turn all the same', async () => {
  const asked: string[] = []
  const offers = [
    { offerId: null, messages: [], remaining: 0 },
    { offerId: 'o1', messages: [toMail({ text: 'just in time' })], remaining: 0 },
  ]
  const server = createServer((request, response) => {
    asked.push(request.url!.replace('/trpc/mailbox.', ''))
    const data = request.url!.endsWith('consume') ? offers.shift() : { settled: 1, remaining: 0 }
    // By then the MCP server has announced it, to a waiter that saw a busy session.
    if (offers.length === 1) rig.flag.raise()
    const body = JSON.stringify({ result: { data } })
    request.resume().on('end', () => response.setHeader('content-length', body.length).end(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  rig.changeCard({ hubUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  setBusy(rig.sessions, process.pid, true)
  expect((await rig.hook('Stop')).context).toContain('just in time')
  expect(asked).toEqual(['consume', 'consume', 'ack'])
  expect(isBusy()).toBe(true)
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

test('the card names the transcript that the client told last', async () => {
  await rig.hook('UserPromptSubmit', { input: { transcript_path: '/t/one.jsonl' } })
  expect(rig.card()).toMatchObject({ transcript: '/t/one.jsonl', sessionIds: card.sessionIds })
  await rig.hook('Stop')
  expect(rig.card().transcript).toBe('/t/one.jsonl')
})
