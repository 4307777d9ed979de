import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { busySince } from '../../lib/machine/cards.ts'
import { openTranscript, type Transcript } from '../harness/transcript.ts'
import { createRig, type Rig } from './rig.ts'

let rig: Rig
let directory: string
let transcript: Transcript
let turns = 0
beforeAll(async () => {
  rig = await createRig()
  directory = mkdtempSync(join(tmpdir(), 'claude-peers-held-'))
})
afterAll(async () => {
  rmSync(directory, { recursive: true })
  await rig[Symbol.asyncDispose]()
})
beforeEach(async () => {
  rig.time.now += 60_000
  transcript = openTranscript(join(directory, `${++turns}.jsonl`))
  // Takes what a test before has left.
  await rig.hook('UserPromptSubmit')
})

let notes = 0
/** A Stop with mail waiting, as the client runs and records it; tells whether the turn was held. */
async function stop({ first = false, env = {} }: { first?: boolean; env?: NodeJS.ProcessEnv } = {}) {
  const id = await rig.send(`note ${++notes}.`)
  rig.flag.raise()
  const { stdout, context } = await rig.hook('Stop', {
    input: { stop_hook_active: !first, transcript_path: transcript.path },
    env,
  })
  const held = stdout !== ''
  if (held) {
    transcript.say('Stop hook feedback:\nMail from other sessions has arrived')
    transcript.inject(context, { event: 'Stop' })
  }
  return { held, state: await rig.stateOf(id), isBusy: busySince(rig.sessions, process.pid) !== undefined }
}

const HELD = { held: true, state: 'delivered', isBusy: true }
const PASSED = { held: false, state: 'queued', isBusy: false }

async function stopTimes(count: number) {
  for (let stops = 0; stops < count; stops++) expect(await stop({ first: stops === 0 })).toEqual(HELD)
}

describe('the end of a turn is held for mail', () => {
  test('five times in a row; then the turn ends, and what waits stays queued', async () => {
    await stopTimes(5)
    expect(await stop()).toEqual(PASSED)
    expect(rig.flag.isUp()).toBe(true)
    expect((await rig.hook('UserPromptSubmit')).context).toContain(`note ${notes}.`)
    await stopTimes(5)
  })

  test('no oftener where the client does not say where its transcript is', async () => {
    transcript = { ...transcript, path: '' }
    transcript.say = transcript.inject = () => undefined
    await stopTimes(5)
    expect(await stop()).toEqual(PASSED)
  })

  test('no oftener than the cap that the user has set', async () => {
    const env = { CLAUDE_CODE_STOP_HOOK_BLOCK_CAP: '2' }
    expect(await stop({ first: true, env })).toEqual(HELD)
    expect(await stop({ env })).toEqual(HELD)
    expect(await stop({ env })).toEqual(PASSED)
  })

  test.each([
    ['a prompt comes', () => rig.hook('UserPromptSubmit')],
    [
      'a tool call brings mail',
      async () => {
        await rig.send('for the tool call')
        await rig.hook('PostToolUse')
      },
    ],
    ['a tool call brings none, which no hook sees', async () => transcript.answer('Bash', 'done')],
  ])('anew after %s', async (_, event) => {
    await stopTimes(5)
    await event()
    for (let stops = 0; stops < 5; stops++) expect(await stop()).toEqual(HELD)
    expect(await stop()).toEqual(PASSED)
  })

  test('anew by a turn that no hook has held before', async () => {
    await stopTimes(5)
    await stopTimes(5)
    expect(await stop()).toEqual(PASSED)
  })

  test('whatever a subagent calls', async () => {
    await stopTimes(5)
    transcript.answer('Bash', 'done', { more: { isSidechain: true } })
    expect(await stop()).toEqual(PASSED)
  })
})
