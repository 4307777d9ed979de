import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { oneof, option, record } from 'fast-check'
import { afterAll, beforeAll, expect } from 'vitest'
import { LEASE_MS } from '../../lib/db/limits.ts'
import { writeCard } from '../../lib/machine/cards.ts'
import { createRig, type Rig } from '../hook/rig.ts'
import { fuzz } from './bound.ts'
import { anyBytes, anyText, mutated } from './values.ts'
import { toLabel } from '../../lib/machine/processes.ts'

let rig: Rig
let sent = 0
beforeAll(async () => void (rig = await createRig()))
afterAll(() => rig[Symbol.asyncDispose]())

/** The hook promises 1.5 s from its start; the rest is for a machine that runs other tests as well. */
const DEADLINE_MS = 6_000

const event = {
  session_id: 'a-session',
  transcript_path: '/transcript.jsonl',
  cwd: '/work',
  hook_event_name: 'UserPromptSubmit',
  source: 'clear',
  stop_hook_active: false,
}
const inputs = oneof(
  ...['UserPromptSubmit', 'PostToolUse', 'Stop', 'SessionStart'].map((name) =>
    mutated({ ...event, hook_event_name: name }).map((value) => JSON.stringify(value)),
  ),
  anyText,
)

/** Parts of a card that are spoilt; the others are those of the session. */
const parts = mutated({
  hubUrl: 'http://127.0.0.1:1',
  token: '',
  peerId: 'p_1',
  key: 'p_1.x',
  hub: null,
  claude: { pid: 1 },
  mcp: { pid: 1 },
  sessionIds: [],
}).map((value) => (typeof value === 'object' ? value : { value }))

fuzz(
  'whatever its client says and its card holds, the hook ends well, in time, and loses no mail',
  record({
    stdin: anyBytes(inputs),
    card: option(parts, { freq: 3 }),
    content: option(anyBytes(anyText), { freq: 6, nil: null }),
    pid: option(
      anyText.filter((text) => !text.includes('\0')),
      { freq: 6 },
    ),
  }),
  async ({ stdin, card, content, pid }) => {
    const own = rig.card()
    const path = join(rig.sessions, `${toLabel(process.pid)}.json`)
    const words = `mail ${++sent} of the fuzzer`
    await rig.send(words)
    if (card !== null) writeFileSync(path, JSON.stringify({ ...own, ...card }))
    if (content !== null) writeFileSync(path, content)
    const spoilt = await rig.hook('', {
      stdin: stdin.toString('latin1'),
      env: { CLAUDE_CODE_SESSION_ID: event.session_id },
      ...(pid !== null && { pid }),
    })
    expect(spoilt).toMatchObject({ code: 0, stderr: '' })
    expect(spoilt.ms).toBeLessThan(DEADLINE_MS)
    writeCard(rig.sessions, own)
    rig.time.now += LEASE_MS + 1
    const sound = await rig.hook('UserPromptSubmit')
    expect(spoilt.context + sound.context).toContain(words)
  },
)
