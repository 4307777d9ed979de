import { expect, test } from 'vitest'
import { hookCommands } from '../../../apps/cli/install/hooks.ts'
import { openHome, root } from './home.ts'

const value = { model: 'opus', list: [1] }
const ours = { ...value, hooks: hookCommands({ node: '/usr/bin/node', root }) }
const manners: [string, (value: object) => string][] = [
  ['tabs', (value) => `${JSON.stringify(value, undefined, '\t')}\n`],
  ['four spaces and no last newline', (value) => JSON.stringify(value, undefined, 4)],
  ['CRLF', (value) => `${JSON.stringify(value, undefined, 2)}\n`.replaceAll('\n', '\r\n')],
  ['a byte order mark', (value) => `\uFEFF${JSON.stringify(value, undefined, 2)}\n\n`],
  ['one line', (value) => `${JSON.stringify(value)}\n`],
]

test.each(manners)('a file with %s keeps it', async (_, write) => {
  await using home = await openHome()
  await home.write('.claude/settings.json', write(value))
  await home.install()
  expect(await home.read('.claude/settings.json')).toBe(write(ours))
  expect(await home.install()).toEqual([])
  await home.uninstall()
  expect(await home.read('.claude/settings.json')).toBe(write(value))
})

test('a hand-set layout comes back from the backup', async () => {
  await using home = await openHome()
  const text = '{ "model": "opus",\n      "list": [1, 2,\n 3] }'
  await home.write('.claude/settings.json', text)
  await home.install()
  await home.uninstall()
  expect(await home.snapshot()).toEqual({ '.claude/settings.json': text })
})
