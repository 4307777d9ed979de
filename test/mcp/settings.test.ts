import { rm, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { createHome } from '../harness/home.ts'
import { startSession } from '../harness/session.ts'

test.each([
  ['{"host": "laptop",', /\.claude-peers\.json line 1: .*Mend it or remove the file/],
  [
    '{"broker_ulr": "http://x"}',
    /\.claude-peers\.json line 1: "broker_ulr" is no setting\. Did you mean "broker_url"\?/,
  ],
])('settings that cannot be used (%s) are what the tools say, until they are mended', async (text, words) => {
  await using home = await createHome({ install: true })
  const file = `${home.path}/.claude-peers.json`
  await writeFile(file, text)
  await using api = await startSession(home, { cwd: await home.project('api'), registered: false })
  for (const [name, args] of [
    ['list_peers', {}],
    ['send_message', { to: 'web', message: 'hello' }],
    ['check_messages', {}],
  ] as const) {
    const result = await api.tool(name, args)
    expect([name, result.isError, result.text]).toEqual([name, true, expect.stringMatching(words)])
  }
  await writeFile(file, '{"host": "desktop"}')
  expect((await api.tool('list_peers')).text).toMatch(/^You are api@/)
  expect(api.card()?.name).toBe('api')
})

test('a session finds its hub by itself when the settings are mended and nobody calls a tool', async () => {
  await using home = await createHome({ install: true })
  const file = `${home.path}/.claude-peers.json`
  await writeFile(file, 'nonsense')
  await using api = await startSession(home, { cwd: await home.project('api'), registered: false })
  await rm(file)
  await expect.poll(() => api.card()?.name, { timeout: 10_000 }).toBe('api')
})
