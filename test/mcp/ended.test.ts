/** What a session had not read when it ended waits again, whoever is left to find that out. */
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { listEndedCards } from '../../lib/machine/cards.ts'
import { openPair, type Pair } from '../harness/pair.ts'
import { startSession } from '../harness/session.ts'
import { openTranscript, type Transcript } from '../harness/transcript.ts'
import { waitFor } from '../harness/wait.ts'

let pair: Pair
let transcript: Transcript
beforeEach(async () => {
  pair = await openPair()
  transcript = openTranscript(join(pair.home.path, 'transcript.jsonl'))
  transcript.say('hello')
})
afterEach(() => pair[Symbol.asyncDispose]())

/** Has a hook of the session take one message; gives its number and what the model would see. */
async function take(text: string, event = 'PostToolUse') {
  const id = await pair.web.send('api', text)
  await pair.api.mailWaits()
  const context = await pair.api.deliver(event, { transcript_path: transcript.path })
  expect(await pair.web.stateOf(id)).toBe('delivered')
  await pair.api.mailTaken()
  return { id, context }
}

const receiptOf = async (id: number) =>
  (await pair.web.hub.messages.status.query({ messageId: id })).recipients[0]!

const isIn = (id: number, state: string) =>
  waitFor(async () => {
    const receipt = await receiptOf(id)
    return receipt.state === state && receipt
  }, `message ${id} to be ${state}`)

const isSettled = () =>
  waitFor(
    () => listEndedCards(join(pair.home.path, '.claude-peers/sessions')).length === 0,
    'the card of the ended session to be gone',
  )

const settlers: [string, { before: () => Promise<unknown>; after?: () => Promise<unknown> }][] = [
  ['its server, when the client ended first', { before: async () => undefined }],
  ['the process that its server left, when the server ended first', { before: () => pair.api.stopMcp() }],
  ['the next server, when both were killed', { before: () => pair.api.killMcp(), after: startElsewhere }],
]

test.each(settlers)('the last lines of the client are read by %s', async (_, { before, after }) => {
  const [answered, unanswered] = [await take('one'), await take('two')]
  await before()
  transcript.inject(answered.context)
  transcript.reply()
  transcript.inject(unanswered.context)
  await pair.api.kill('SIGKILL')
  await after?.()
  expect(await isIn(answered.id, 'read')).toMatchObject({ attempts: 1, requeuedAt: null })
  expect(await isIn(unanswered.id, 'queued')).toMatchObject({
    attempts: 1,
    requeuedAt: expect.any(Number),
    readAt: null,
  })
  await isSettled()
})

test('an ordinary exit, whose last lines come late, repeats nothing', async () => {
  const { id, context } = await take('one')
  await pair.api.stopMcp()
  transcript.inject(context)
  transcript.reply()
  await pair.api[Symbol.asyncDispose]()
  expect(await isIn(id, 'read')).toMatchObject({ attempts: 1, requeuedAt: null })
  await isSettled()
})

test('mail that waits again wakes the session once its turn is over', async () => {
  const { api } = pair
  await api.hook('UserPromptSubmit', { transcript_path: transcript.path })
  const { id } = await take('one', 'UserPromptSubmit')
  const waiter = api.waiter('UserPromptSubmit')
  await waitFor(() => api.waiterPid(), 'the waiter to wait')
  transcript.note('informational', 'UserPromptSubmit operation blocked by hook:\n[policy]: no')
  expect(await isIn(id, 'queued')).toMatchObject({ requeuedAt: expect.any(Number) })
  expect((await waiter).map(({ code }) => code)).toContain(2)
})

async function startElsewhere() {
  await using other = await startSession(pair.home, { cwd: await pair.home.project('elsewhere') })
  await isSettled()
  expect(other.card()).toBeDefined()
}
