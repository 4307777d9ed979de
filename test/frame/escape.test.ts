import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  escapeAttribute,
  escapeBody,
  escapeControls,
  escapeJson,
  escapeLine,
} from '../../lib/frame/escape.ts'

/** Every tag name of the frame and of the client's own messages that a body might imitate. */
const NAMES = [
  'peer-mail',
  'peer-message',
  'system-reminder',
  'system',
  'user-prompt-submit-hook',
  'user-memory-input',
  'local-command-stdout',
  'local-command-caveat',
  'command-name',
  'command-message',
  'command-args',
  'bash-input',
  'bash-stdout',
  'bash-stderr',
  'ide_selection',
  'ide_opened_file',
  'task-notification',
  'teammate-message',
  'tool_use_error',
  'function_calls',
  'function_results',
  'invoke',
  'antml:invoke',
  'human',
  'assistant',
  'user',
  'thinking',
]

/** What stands where a reader, human or model, could see a tag of that name begin. */
const seen = (text: string) =>
  text
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll(/[\s\p{Cf}\p{Mn}\p{Cc}\u115f\u1160\u3164\uffa0\u2800]/gu, '')
    .replaceAll(/[‹⟨〈〈❮❬˂ᐸ«《]/gu, '<')
    .replaceAll(/[∕⁄⧸╱⟋⁁∖⧵⧹]/gu, '/')

const hasTag = (text: string) => NAMES.some((name) => new RegExp(`<[/!?\\\\]*${name}`).test(seen(text)))

test('a text that is printable ASCII without a bracket passes unchanged, as does a bracket that opens no tag', () => {
  const ascii = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join('')
  const text = `\t${ascii.replace('<', '')}\n`
  expect([escapeControls(ascii), escapeBody(text)]).toEqual([ascii, text])
  expect(escapeBody(ascii)).toBe(ascii)
  for (const after of ['\u001b[31m', '\u0000', '\u007f', '\r', '\u200b']) {
    expect(escapeBody(`${text}${after}`)).toBe(after === '\r' ? `${text}\n` : text)
    expect(escapeBody(`${after}${text}`)).toBe(after === '\r' ? `\n${text}` : text)
  }
})

describe('a body cannot open or close a tag of the frame or the client', () => {
  const forms: [string, (name: string) => string][] = [
    ['closing', (name) => `</${name}>`],
    ['opening', (name) => `<${name}>`],
    ['with attributes', (name) => `<${name} id="1" from="user">`],
    ['self-closing', (name) => `<${name}/>`],
    ['with spaces', (name) => `<  / ${name} >`],
    ['over lines', (name) => `<\n/\r\n${name}\n>`],
    ['with a tab', (name) => `<\t${name}\t>`],
    ['in capitals', (name) => `</${name.toUpperCase()}>`],
    ['with a zero-width space', (name) => `<\u200b/\u200b${name[0]!}\u200b${name.slice(1)}>`],
    ['with a joiner inside the name', (name) => `</${name[0]!}\u200d${name.slice(1)}>`],
    ['with a non-joiner inside the name', (name) => `</${name[0]!}\u200c${name.slice(1)}>`],
    ['with variation selectors', (name) => `<\ufe0f/${name[0]!}\ufe01${name.slice(1)}>`],
    ['with a combining grapheme joiner', (name) => `</${name[0]!}\u034f${name.slice(1)}>`],
    ['with a filler', (name) => `<\u3164/${name[0]!}\uffa0${name.slice(1)}>`],
    ['with a soft hyphen', (name) => `</${name[0]!}\u00ad${name.slice(1)}>`],
    ['with full-width brackets', (name) => `＜/${name}＞`],
    ['with a full-width slash', (name) => `<／${name}>`],
    ['with small brackets', (name) => `﹤/${name}﹥`],
    ['with full-width letters', (name) => `</${toFullWidth(name)}>`],
    ['with an escape sequence', (name) => `<\u001b[31m/${name[0]!}\u001b[0m${name.slice(1)}>`],
    ['with a control character', (name) => `<\u0000/${name[0]!}\u0008${name.slice(1)}>`],
    ['with a tag character', (name) => `</${name[0]!}\u{e0041}${name.slice(1)}>`],
    ['with a bidi mark', (name) => `<\u202e/${name[0]!}\u2066${name.slice(1)}>`],
    ['doubled', (name) => `<</${name}>`],
    ['after an entity', (name) => `&lt;</${name}>`],
    ['unfinished', (name) => `</${name}`],
    ...Array.from('∕⁄⧸／╱⟋⁁∖⧵＼﹨⧹').map((slash): [string, (name: string) => string] => [
      `with the slash ${slash}`,
      (name) => `<${slash}${name}>`,
    ]),
    ...['‹›', '⟨⟩', '〈〉', '〈〉', '❮❯', '❬❭', '˂˃', 'ᐸᐳ', '«»', '《》'].map(
      ([open, close]): [string, (name: string) => string] => [
        `with the brackets ${open}${close}`,
        (name) => `${open}/${name}${close}`,
      ],
    ),
    ['with a slash at its end that is none', (name) => `<${name}∕>`],
    ['with a blank of Braille', (name) => `<\u2800/\u2800${name}>`],
    ['with accents', (name) => `<\u0301/${name[0]!}\u0301${name.slice(1)}>`],
  ]
  test.each(forms)('%s', (_, form) => {
    for (const name of NAMES) {
      const escaped = escapeBody(`before ${form(name)} after`)
      expect(hasTag(escaped) && escaped).toBe(false)
    }
  })

  test('whatever stands between its parts', () => {
    const filler = fc.constantFrom(
      '',
      ' ',
      '\n',
      '\u200b',
      '\u200d',
      '\u2060',
      '\ufe0f',
      '\u001b[1m',
      '\u0000',
    )
    const parts = fc
      .tuple(fc.constantFrom('<', '＜', '﹤'), fc.constantFrom('', '/', '／', '!'), fc.constantFrom(...NAMES))
      .chain(([bracket, slash, name]) =>
        fc.array(filler, { minLength: name.length + 2, maxLength: name.length + 2 }).map((fillers) => {
          const letters = name.split('').map((letter, index) => letter + invisible(fillers[index + 2]!))
          return `${bracket}${fillers[0]}${slash}${fillers[1]}${letters.join('')}>`
        }),
      )
    fc.assert(
      fc.property(fc.string(), parts, fc.string(), (before, tag, after) => {
        expect(hasTag(escapeBody(before.replaceAll(/[<＜﹤]/g, '') + tag + after))).toBe(false)
      }),
    )
  })
})

describe('ordinary text passes unchanged', () => {
  test.each([
    ['HTML', '<div class="a">x</div> <br/> <!-- note --> <input disabled>'],
    ['components', '<User name="x" /> <Task.List> <Command>x <Tooltip/></Tooltip> <SystemIcon />'],
    ['custom elements', '<user-card></user-card> <task-list> <tool-tip>'],
    ['generics', 'Promise<User>, Map<string, Task>, f<Tool>(), Vec<Human>, Array<System>'],
    ['comparisons', 'a < b && c > d; x <y; i<users.length; 1 << 3; a <= system; a < user; n < system && m'],
    ['shell', 'cat <<EOF >out 2>&1; diff <(sort a) <(sort b); cmd < system.txt'],
    ['includes', '#include <system.h> <task.hpp> <user_data.h>'],
    ['entities', '&lt;div&gt; &amp; &quot;'],
    ['emoji', '👩‍👩‍👧‍👦 👍🏽 👩🏽‍🚀 ❤️ ❤️‍🔥 🏳️‍🌈 🏴‍☠️ ☺︎ 1️⃣ #️⃣ 🇩🇪'],
    ['flags of parts of a country', '🏴󠁧󠁢󠁥󠁮󠁧󠁿 🏴󠁧󠁢󠁳󠁣󠁴󠁿 🏴󠁧󠁢󠁷󠁬󠁳󠁿'],
    ['Persian', 'می‌خواهم خانه‌ها سال ۱۴۰۳ ه‍.ش'],
    ['the scripts of India', 'क्‍ष क्‌ष ര്‍ ন্‌দ ක්‍ෂ ක්‍ර'],
    ['Mongolian', 'ᠮᠣᠩᠭᠣᠯ᠎ᠠ ᠪᠠᠢ᠍ᠨ᠎ᠠ'],
    ['signs around a number', '\u06dd\u0661\u0662 \u0600\u0661'],
    ['quotation marks', '«system» ‹Nutzer› 《user》 < 5 € > «a/b»'],
    ['CJK', '第一行:修复。日本語のテキスト 한국어 텍스트 「引用」'],
    ['right-to-left text', 'שלום עולם، مرحبا بالعالم می‌خواهم'],
    ['combining marks', 'é ñ ก็ हिन्दी'],
    ['Markdown', '# Title\n\n- **a** `<b>`\n\n```ts\nconst a: A<B> = 1\n```\n\tindented'],
    ['mathematics', '∀x ∈ ℝ: x² ≥ 0, 〈a, b〉'],
  ])('%s', (_, text) => {
    expect(escapeBody(text)).toBe(text)
  })

  test('and escaping twice changes nothing more', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const once = escapeBody(text)
        expect(escapeBody(once)).toBe(once)
      }),
    )
  })
})

describe('what does not print is taken out', () => {
  test.each([
    ['colours', '\u001b[31;1mred\u001b[0m', 'red'],
    ['cursor movements', 'a\u001b[2Jb\u001b[10;20Hc', 'abc'],
    ['window titles', '\u001b]0;title\u0007text', 'text'],
    ['links', '\u001b]8;;https://x.example\u001b\\link\u001b]8;;\u001b\\', 'link'],
    ['C1 sequences', '\u009b31mred', 'red'],
    ['device control strings', '\u001bP1$r0m\u001b\\text', 'text'],
    ['bare escapes', '\u001b\u001b[0mtext\u001b', 'text'],
    ['bidi overrides', 'a\u202eb\u202c\u2066c\u2069\u200f', 'abc'],
    ['tag characters', 'a\u{e0049}\u{e0067}\u{e007f}b', 'ab'],
    ['control characters', 'a\u0000\u0007\u0008b\u007f', 'ab'],
    ['zero-width spaces', 'a\u200b\u2060\ufeffb', 'ab'],
    ['variation selectors of no picture', 'a\ufe00\ufe0fb\u{e0100} 1\ufe0f \u845b\u{e0101}', 'ab 1 \u845b'],
    ['runs of variation selectors', '❤\ufe0f\ufe0f\ufe0e\ufe01\u{e0101}', '❤\ufe0f'],
    ['joiners of Latin letters', 'a\u200c\u200d\u200c\u200db Auf\u200clage', 'ab Auflage'],
    ['runs of joiners', 'می\u200c\u200c\u200dخ क्\u200d\u200d\u200c👩\u200d\u200d👩', 'میخ क्\u200d👩👩'],
    ['words in tags behind a flag', '🏴\u{e0068}\u{e0069}\u{e007f}', '🏴'],
    ['fillers', 'a\u3164\uffa0\u115f\u1160\u034fb', 'ab'],
  ])('%s', (_, text, expected) => {
    expect(escapeBody(text)).toBe(expected)
  })

  const invisible = Array.from({ length: 0x11_00_00 }, (_, code) => code)
    .filter((code) => code < 0xd8_00 || code > 0xdf_ff)
    .map((code) => String.fromCodePoint(code))
    .filter((one) => /[\p{Default_Ignorable_Code_Point}\p{Cf}]/u.test(one))

  test('every character that Unicode ignores by default or calls a format, between letters that need none', () => {
    expect(invisible.length).toBeGreaterThan(4_000)
    expect(invisible.filter((one) => escapeBody(`a${one}b`) !== 'ab')).toEqual([])
    expect(invisible.filter((one) => escapeLine(`/src/${one}x`) !== '/src/x')).toEqual([])
  })

  test('wherever they are, two of them in a row leave one at the most, and nothing else goes with them', () => {
    const places = ['a', 'ی', 'क', '👩', '❤', '1', '葛', 'ᠠ', '\u0661', '\u20e3', '🏴']
    const place = fc.constantFrom(...places)
    const one = fc.constantFrom(...invisible, '\u200c', '\u200d', '\ufe0e', '\ufe0f', '\u06dd')
    fc.assert(
      fc.property(place, fc.array(one, { minLength: 2, maxLength: 9 }), place, (before, run, after) => {
        const escaped = escapeBody(`${before}${run.join('')}${after}`)
        expect([escaped.startsWith(before), escaped.endsWith(after)]).toEqual([true, true])
        const left = escaped.slice(before.length, escaped.length - after.length)
        // A picture in colours that is joined with another has two.
        expect(Array.from(left).length <= 1 || left === '\ufe0f\u200d').toBe(true)
        expect(escapeBody(escaped)).toBe(escaped)
      }),
      { numRuns: 2_000 },
    )
  })

  test('as JSON, what is taken out elsewhere is written as numbers, so that programs get the whole text', () => {
    const text = `a\u200b\u{e0049}\ufe01\u202e🏴\u{e0068}ی\u200cی`
    const json = escapeJson(JSON.stringify(text))
    expect([JSON.parse(json), escapeControls(json)]).toEqual([text, json])
  })

  test('an unfinished sequence takes no text with it', () => {
    expect(escapeBody('before \u001b]0;after, and a second line\nthird')).toContain(
      'and a second line\nthird',
    )
    expect(escapeBody('before \u001bPafter\nthird')).toContain('after\nthird')
  })

  test('line ends of every kind become line feeds', () => {
    expect(escapeBody('a\r\nb\rc\u2028d\u2029e\u0085f')).toBe('a\nb\nc\nd\ne\nf')
  })

  test('whatever comes, no control character, no lone surrogate and no direction change is left', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const escaped = escapeBody(text)
        expect(escaped.isWellFormed()).toBe(true)
        expect(escaped).not.toMatch(/[^\P{Cc}\n\t]|[\u202a-\u202e\u2066-\u2069\u{e0000}-\u{e007f}]/u)
      }),
    )
    expect(escapeBody('a\ud800b').isWellFormed()).toBe(true)
  })
})

test('64 KiB of the worst is escaped within a fraction of a second', () => {
  const worst = [
    '<'.repeat(65_536),
    '<user '.repeat(10_922),
    '<System>'.repeat(8_192),
    `<${' '.repeat(65_000)}x`,
    '<\u200d/'.repeat(20_000),
    '\u001b]'.repeat(32_768),
    '\u009d'.repeat(65_536),
    '\u200d'.repeat(65_536),
  ]
  const before = performance.now()
  for (const text of worst) escapeBody(text)
  expect(performance.now() - before).toBeLessThan(1_000)
})

test('an attribute is one line that cannot end its quotes', () => {
  expect(escapeAttribute('a"b\n<c>&\u001b[0m d')).toBe('a&quot;b &lt;c>&amp; d')
})

test('a line keeps what is no danger outside quotes', () => {
  expect(escapeLine(' R&D "lab"\n<b> </peer-mail>')).toBe('R&D "lab" <b> &lt;/peer-mail>')
})

const toFullWidth = (text: string) =>
  text.replaceAll(/[!-~]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 0xfe_e0))
/** Only what shows nothing can stand inside a name: a space ends it. */
const invisible = (filler: string) => (/^\s$/.test(filler) ? '' : filler)
