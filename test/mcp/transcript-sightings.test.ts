import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createSightings, type Sighting } from '../../apps/mcp/transcript-sightings.ts'
import { renderFrame } from '../../lib/frame/frame.ts'
import { toEntry } from '../../lib/machine/transcript-end.ts'
import { toMail } from '../harness/mail.ts'

const PREFIX = 'mcp__claude-peers__'
const AT = '2026-11-22T14:08:00.000Z'

const fixture = (version: string) =>
  readFileSync(join(import.meta.dirname, `fixtures/transcript-${version}.jsonl`), 'utf8')
    .trimEnd()
    .split('\n')

function sight(lines: (object | string)[], prefix = PREFIX): Sighting[] {
  const toSightings = createSightings(prefix)
  return lines.flatMap((given) => {
    const line = typeof given === 'string' ? given : JSON.stringify(given)
    const entry = toEntry(line)
    return entry ? toSightings(line, entry) : []
  })
}
const read = (lines: (object | string)[], prefix = PREFIX) => sight(lines, prefix).map(({ id }) => id)

/** Real transcripts, trimmed: mail by PostToolUse (1), Stop (2), a prompt (3), check_messages (4), /clear (5). */
describe.each(['2.1.197', '2.1.330'])('a transcript of Claude Code %s', (version) => {
  test('shows each message that its model was shown, and when', () => {
    const sightings = sight(fixture(version))
    // Message 3 came with a prompt, and was read again with check_messages.
    expect(sightings).toHaveLength(6)
    expect(new Set(sightings.map(({ id }) => id))).toEqual(new Set([1, 2, 3, 4, 5]))
    const day = sightings.map(({ at }) => new Date(at).toISOString().slice(0, 13))
    expect(new Set(day)).toEqual(new Set(['2026-11-22T14']))
  })

  test('shows no answer of a tool of another installation', () => {
    const sightings = read(fixture(version), 'mcp__plugin_peers_claude-peers__')
    expect(new Set(sightings)).toEqual(new Set([1, 2, 3, 5]))
  })

  test('shows nothing by the output of a hook, which the client may have thrown away', () => {
    const outputs = fixture(version).filter((line) => line.includes('"type":"hook_success"'))
    expect(outputs.length).toBeGreaterThan(0)
    expect(read(outputs)).toEqual([])
  })
})

const frame = renderFrame({
  messages: [toMail({ id: 9, sentAt: 0 })],
  remaining: 0,
  toolPrefix: PREFIX,
  now: 0,
}).text
const injected = {
  type: 'attachment',
  timestamp: AT,
  attachment: { type: 'hook_additional_context', content: [frame] },
}
const data = JSON.stringify({ mail: frame, message_ids: [9], remaining: 0, next_offset: null })
const call = (name: string) => ({
  type: 'assistant',
  timestamp: AT,
  message: { content: [{ type: 'tool_use', id: 'toolu_1', name, input: {} }] },
})
const result = (content: unknown) => ({
  type: 'user',
  timestamp: AT,
  message: { content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content }] },
})

test.each([
  ['in one text', data],
  ['in blocks', [{ type: 'text', text: data }]],
  ['as the text of a client that shows no data', frame],
])('an answer of check_messages counts %s', (_, content) => {
  expect(read([call(`${PREFIX}check_messages`), result(content)])).toEqual([9])
})

test('injected context counts among that of other hooks', () => {
  const attachment = { ...injected.attachment, content: ['words of another hook', frame] }
  expect(read([{ ...injected, attachment }])).toEqual([9])
})

test.each<[string, (object | string)[]]>([
  ['a frame that a person typed', [{ type: 'user', timestamp: AT, message: { content: frame } }]],
  [
    'a typed feedback of a hook',
    [{ type: 'user', timestamp: AT, message: { content: `Stop hook feedback:\n${frame}` } }],
  ],
  ['a file that a tool showed', [call('Bash'), result(frame)]],
  ['a file with a line of a transcript', [call('Read'), result(JSON.stringify(injected))]],
  ['a tool of the same name of another server', [call('mcp__other__check_messages'), result(data)]],
  ['an answer whose call is not known', [result(data)]],
  ['an answer of ours that says no frame', [call(`${PREFIX}check_messages`), result('{"mail":5}')]],
  [
    'a body that holds a frame of another number',
    [{ ...injected, attachment: { ...injected.attachment, content: [`note: ${frame}`] } }],
  ],
  [
    'what the model says itself',
    [{ type: 'assistant', timestamp: AT, message: { content: [{ type: 'text', text: frame }] } }],
  ],
  ['the context of a subagent', [{ ...injected, isSidechain: true }]],
  ['an attachment of another kind', [{ ...injected, attachment: { type: 'file', content: [frame] } }]],
  ['a line without a time', [{ ...injected, timestamp: undefined }]],
  ['half a line', [JSON.stringify(injected).slice(0, -5)]],
  ['no object', ['null <peer-message id=', '"<peer-message id="', '[{"x":"<peer-message id="}]']],
  ['an empty attachment', [{ type: 'attachment', timestamp: AT, x: '<peer-message id=' }]],
])('%s confirms nothing', (_, lines) => {
  expect(read(lines)).toEqual([])
})
