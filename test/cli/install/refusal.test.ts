import { mkdir, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { InstallError } from '../../../apps/cli/install/error.ts'
import { openHome, predecessorHooks } from './home.ts'

const broken: [string, string, string][] = [
  ['{"a": 1,}', '1:9', 'Expected double-quoted property name'],
  ['{\n  "a": undefined\n}\n', '2:8', "Unexpected token 'u'"],
  ['{\r\n  "a": 1\r\n  "b": 2\r\n}\r\n', '3:3', "Expected ',' or '}' after property value"],
  [
    `\uFEFF{"key": "secret",\n "list": [${'"0123456789", '.repeat(99)} nope]}`,
    '2:1399',
    "Unexpected token 'o'",
  ],
  ['// comment\n{}', '1:1', "Unexpected token '/'"],
  ['{"a": [1, 2', '1:12', "Expected ',' or ']' after array element"],
  ['{"a":\n', '2:1', 'Unexpected end of JSON input'],
  ['', '1:1', 'Unexpected end of JSON input'],
  ['{"a": 1} trailing', '1:10', 'Unexpected non-whitespace character after JSON'],
  ['<<<<<<< HEAD', '1:1', "Unexpected token '<'"],
]

test.each(broken)('%j is left alone, with the place of its error', async (text, place, reason) => {
  await using home = await openHome()
  await home.write('.claude/settings.json', text)
  await home.write('.claude.json', '{ "numStartups": 1 }')
  const before = await home.snapshot()
  for (const run of [home.install, home.uninstall]) {
    const error = await run().catch((error: unknown) => error)
    expect(error).toBeInstanceOf(InstallError)
    const { message } = error as Error
    expect(message).toContain(`${home.path('.claude/settings.json')}:${place} is not valid JSON (${reason}`)
    expect(message).toMatch(/It was left as it is: .+, then run this again\.$/)
    expect(message).not.toContain('secret')
  }
  expect(await home.snapshot()).toEqual(before)
})

const unusable: [string, unknown, string][] = [
  ['.claude/settings.json', { hooks: 'text' }, '"hooks" is a string where an object belongs'],
  ['.claude/settings.json', { hooks: [] }, '"hooks" is an array where an object belongs'],
  [
    '.claude/settings.json',
    { hooks: { Stop: { hooks: [] } } },
    'hooks.Stop is an object where an array belongs',
  ],
  ['.claude/settings.json', [1], 'holds an array where an object belongs'],
  ['.claude.json', { mcpServers: [] }, '"mcpServers" is an array where an object belongs'],
  ['.claude.json', 'null', 'holds null where an object belongs'],
  ['.claude-peers/install.json', { version: 9 }, 'is not a record that this version can read'],
  ['.claude-peers/install.json', '{', 'is not valid JSON'],
]

test.each(unusable)(
  '%s with %j is left alone, and so are the other files',
  async (name, content, problem) => {
    await using home = await openHome()
    await home.write('.claude/settings.json', { hooks: predecessorHooks })
    await home.write('.claude.json', { mcpServers: {} })
    await home.write(name, content)
    const before = await home.snapshot()
    await expect(home.install()).rejects.toThrow(problem)
    await expect(home.install({ print: true })).rejects.toThrow(InstallError)
    expect(await home.snapshot()).toEqual(before)
  },
)

test('a file that is not UTF-8 is left alone', async () => {
  await using home = await openHome()
  await home.write('.claude/settings.json', '')
  await writeFile(home.path('.claude/settings.json'), Buffer.from('{"name": "Ren\xe9"}', 'latin1'))
  const before = await home.snapshot()
  await expect(home.install()).rejects.toThrow('settings.json cannot be read: it is not UTF-8')
  expect(await home.snapshot()).toEqual(before)
})

test('what cannot be read or written is an InstallError that names the file', async () => {
  await using home = await openHome()
  await mkdir(home.path('.claude.json'))
  await expect(home.install()).rejects.toThrow(/\.claude\.json cannot be read: EISDIR.*It was left as it is/)
  await using other = await openHome()
  await other.write('.claude', 'a file where the directory belongs')
  await expect(other.install()).rejects.toThrow(InstallError)
})
