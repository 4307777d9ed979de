import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { array, constantFrom, oneof, type Arbitrary } from 'fast-check'
import { expect } from 'vitest'
import { isHeldEnough } from '../../apps/hook/held.ts'
import { createFacts } from '../../apps/mcp/transcript-facts.ts'
import { createTail } from '../../apps/mcp/transcript-tail.ts'
import { hasTurnEnded } from '../../apps/mcp/turn.ts'
import { makeDirectory } from '../db/harness.ts'
import { fuzz } from './bound.ts'
import { anyBytes, mutated } from './values.ts'

const PREFIX = 'mcp__claude-peers__'
const frame = '<peer-message id="7" from="web@laptop">\nhello\n</peer-message>'
const at = '2026-11-20T09:00:00.000Z'
const own = [
  {
    type: 'assistant',
    timestamp: at,
    message: { content: [{ type: 'tool_use', id: 'toolu_1', name: `${PREFIX}check_messages` }] },
  },
  {
    type: 'user',
    timestamp: at,
    message: {
      content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: JSON.stringify({ mail: frame }) }],
    },
  },
  { type: 'attachment', timestamp: at, attachment: { type: 'hook_additional_context', content: [frame] } },
  {
    type: 'user',
    timestamp: at,
    message: { content: [{ type: 'text', text: '[Request interrupted by user]' }] },
  },
  { type: 'system', timestamp: at, content: 'UserPromptSubmit operation blocked by hook' },
  { type: 'system', subtype: 'compact_boundary', timestamp: at, parentUuid: null },
  { type: 'user', timestamp: at, uuid: 'u', parentUuid: null, message: { content: 'a prompt' } },
  { type: 'assistant', timestamp: at, message: { id: 'msg_2', model: 'claude', content: [] } },
]
/** Lines that Claude Code wrote. */
const recorded = ['2.1.197', '2.1.330'].flatMap((version) =>
  readFileSync(join(import.meta.dirname, `../mcp/fixtures/transcript-${version}.jsonl`), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown),
)
const line: Arbitrary<string> = constantFrom(...own, ...recorded).chain((sample) =>
  mutated(sample).map((value) => JSON.stringify(value)),
)
const lines = oneof(
  array(line, { maxLength: 8 }).map((all) => `${all.join('\n')}\n`),
  array(line, { maxLength: 3 }).map((all) => all.join('')),
)

fuzz(
  'no transcript, in whatever pieces it comes, breaks its reader',
  array(anyBytes(lines), { maxLength: 4 }),
  async (pieces) => {
    using directory = makeDirectory()
    const path = join(directory.path, 'transcript.jsonl')
    writeFileSync(path, '')
    const tail = createTail(path)
    const facts = createFacts(PREFIX)
    for (const piece of pieces) {
      appendFileSync(path, piece)
      await tail.read((text) => {
        for (const fact of facts.read(text)) {
          const id = fact.kind === 'passed' ? 0 : fact.id
          expect([Number.isSafeInteger(id), Number.isFinite(fact.at)]).toEqual([true, true])
        }
      }, facts.skip)
      const turn = { since: 0, waitsSince: 0, now: Date.parse(at) }
      expect(hasTurnEnded(path, turn)).toBeTypeOf('boolean')
      expect(isHeldEnough(9, path)).toBeTypeOf('boolean')
    }
  },
)
