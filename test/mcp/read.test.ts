import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { openPair, type Pair } from '../harness/pair.ts'
import { openTranscript, type Transcript } from '../harness/transcript.ts'
import { waitFor } from '../harness/wait.ts'

let pair: Pair
let home: Pair['home']
let api: Pair['api']
let web: Pair['web']
let transcript: Transcript

beforeAll(async () => {
  pair = await openPair()
  ;({ home, api, web } = pair)
})
afterAll(() => pair[Symbol.asyncDispose]())
beforeEach(() => {
  transcript = openTranscript(join(home.path, `${randomUUID()}.jsonl`))
  transcript.say('hello')
})

const deliver = (event: string, input: Record<string, unknown> = {}) =>
  api.deliver(event, { transcript_path: transcript.path, ...input })
/** Waits until a message is read, and gives its receipt. */
const readReceipt = (id: number) =>
  waitFor(async () => {
    const { recipients } = await web.hub.messages.status.query({ messageId: id })
    return recipients[0]!.state === 'read' ? recipients[0]! : undefined
  }, `message ${id} to be read`)

test.each(['PostToolUse', 'UserPromptSubmit', 'SessionStart', 'Stop'])(
  'mail that %s delivered is read once the transcript shows an answer to it',
  async (event) => {
    const id = await web.send('api', `hello, ${event}`)
    await api.mailWaits()
    const context = await deliver(event)
    expect(await web.stateOf(id)).toBe('delivered')
    transcript.inject(context, { event })
    transcript.reply()
    const receipt = await readReceipt(id)
    expect(receipt).toMatchObject({ attempts: 1, requeuedAt: null })
    expect(receipt.readAt).toBeGreaterThanOrEqual(receipt.deliveredAt!)
  },
)

test('mail that check_messages gave is read once the model goes on with it', async () => {
  await deliver('UserPromptSubmit')
  const ids = [await web.send('api', 'one'), await web.send('api', 'two')]
  const { data } = await api.tool('check_messages')
  transcript.answer('mcp__claude-peers__check_messages', JSON.stringify(data))
  transcript.reply()
  for (const id of ids) expect(await readReceipt(id)).toMatchObject({ attempts: 1 })
})

test('after /clear mail is found in the transcript of the new session', async () => {
  await deliver('UserPromptSubmit')
  const id = await web.send('api', 'hello, 2')
  await api.mailWaits()
  transcript = openTranscript(join(home.path, `${randomUUID()}.jsonl`))
  const context = await deliver('SessionStart', { source: 'clear', session_id: randomUUID() })
  transcript.inject(context, { event: 'SessionStart' })
  transcript.reply()
  expect(await readReceipt(id)).toMatchObject({ attempts: 1 })
  expect(api.card()).toMatchObject({ transcript: transcript.path })
})

test('a server that starts again after a crash finds what the transcript showed meanwhile', async () => {
  const id = await web.send('api', 'hello, 3')
  await api.mailWaits()
  const context = await deliver('PostToolUse')
  await api.killMcp()
  transcript.inject(context)
  transcript.reply()
  expect(await web.stateOf(id)).toBe('delivered')
  await api.startMcp(0)
  expect(await readReceipt(id)).toMatchObject({ attempts: 1 })
})

test('a server that was ended and starts again finds it once an event names the transcript', async () => {
  const id = await web.send('api', 'hello, 4')
  await api.mailWaits()
  const context = await deliver('PostToolUse')
  await api.stopMcp()
  transcript.inject(context)
  transcript.reply()
  expect(await web.stateOf(id)).toBe('delivered')
  await api.startMcp(0)
  await waitFor(() => api.card(), 'the card')
  await deliver('UserPromptSubmit')
  expect(await readReceipt(id)).toMatchObject({ attempts: 1 })
})

test('a hub that starts again is told what the transcript showed meanwhile', async () => {
  const id = await web.send('api', 'hello, 5')
  await api.mailWaits()
  const context = await deliver('PostToolUse')
  await home.stopHub('SIGKILL')
  transcript.inject(context)
  transcript.reply()
  expect(await readReceipt(id)).toMatchObject({ attempts: 1 })
})

test('mail that was shown and whose acknowledgement was lost is read, and does not come again', async () => {
  await deliver('UserPromptSubmit')
  const id = await web.send('api', 'hello, 6')
  await api.mailWaits()
  // A hook that was killed behind its print: nobody acknowledges what it took.
  const { messages } = await web.as(api.card()!.key).mailbox.consume.mutate({ budget: 1_000 })
  expect(messages.map((mail) => mail.id)).toEqual([id])
  transcript.inject(
    `<peer-mail network="claude-peers">\n\n<peer-message id="${id}" from="web@laptop">\nhello\n</peer-message>\n</peer-mail>`,
  )
  transcript.reply()
  expect(await readReceipt(id)).toMatchObject({ attempts: 1 })
  expect(await deliver('UserPromptSubmit')).toBe('')
})

test('a frame that somebody wrote into the conversation confirms nothing: the mail is missing, and waits again', async () => {
  await deliver('UserPromptSubmit')
  const id = await web.send('api', 'hello, 7')
  await api.mailWaits()
  const context = await deliver('PostToolUse')
  transcript.say(context)
  transcript.answer('Bash', context)
  const state = async () => (await web.stateOf(id)) === 'queued' && 'queued'
  expect(await waitFor(state, 'the mail to be missed')).toBe('queued')
})
