import { describe, expect, test } from 'vitest'
import { toNotice } from '../../lib/frame/notice.ts'

const mail = (text: string, from = 'web@laptop') => ({ from, text, kind: 'message' as const })

describe('the line that tells the person of a delivery', () => {
  test('names the sender of one message and how it begins', () => {
    expect(toNotice([mail('The staging database moved\nto port 6543.')])).toBe(
      'claude-peers: web@laptop: The staging database moved to port 6543.',
    )
  })

  test('counts several, and names each sender once and how each begins', () => {
    const line = toNotice([mail('one'), mail('two'), mail('three', 'docs@studio')])
    expect(line).toBe('claude-peers: 3 messages from web@laptop, docs@studio: one · two · three')
  })

  test('names a note of the network as one', () => {
    const note = { ...mail('No reply to message 4 came.', 'claude-peers'), kind: 'note' as const }
    expect(toNotice([note])).toBe('claude-peers: the network: No reply to message 4 came.')
  })

  test.each([
    ['one long message', [mail('word '.repeat(10_000))]],
    ['a message of wide characters', [mail('報告'.repeat(500))]],
    ['fifty messages', Array.from({ length: 50 }, (_, n) => mail('x'.repeat(99), `session-${n}@laptop`))],
    ['a sender with a long name', [mail('hello', `${'a'.repeat(64)}@${'b'.repeat(255)}`)]],
  ])('keeps to 160 columns for %s', (_, messages) => {
    const line = toNotice(messages)
    let columns = 0
    for (const one of line) columns += one > '\u02ff' && one !== '…' ? 2 : 1
    expect(columns).toBeLessThanOrEqual(160)
    expect(line).toContain('…')
    expect(line).not.toContain('\n')
  })

  test.each([
    ['colours', '\u001b[31mred\u001b[0m', 'red'],
    ['the title of the terminal', '\u001b]0;owned\u0007hi', 'hi'],
    ['a line that is drawn over', 'safe\r\u001b[2Krm -rf', 'safe rm -rf'],
    ['a link', '\u001b]8;;https://example.org\u001b\\click\u001b]8;;\u001b\\', 'click'],
    ['C1 controls', '\u009b2Jhi\u0085there', 'hi there'],
    ['a text that is turned around', 'abc\u202Edef\u2066', 'abcdef'],
    ['what cannot be seen', 'a\u200bb\u00adc\u{e0041}d', 'abcd'],
    ['half a character', 'a\ud800b', 'a\ufffdb'],
    ['a tower of marks', `a${'\u0301'.repeat(40)}b`, 'a\u0301\u0301b'],
  ])('lets no message put %s on the screen', (_, text, shown) => {
    expect(toNotice([mail(text)])).toBe(`claude-peers: web@laptop: ${shown}`)
  })

  test('lets no sender put controls on the screen', () => {
    expect(toNotice([mail('hi', 'web\u001b[31m\n@laptop')])).toBe('claude-peers: web @laptop: hi')
  })
})
