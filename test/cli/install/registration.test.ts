import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { expect, test } from 'vitest'
import { findClient, runClient } from '../../../apps/cli/install/client.ts'
import { NODE_VARIABLES } from '../../../lib/machine/environment.ts'
import { addClient, EMPTY, openHome, predecessorServer, root } from './home.ts'

const words = 'mcp add --scope user --transport stdio claude-peers'.split(' ')
const variables = NODE_VARIABLES.flatMap((name) => ['--env', `${name}=`])
const add = [...words, ...variables, '--', '/usr/bin/node', `${root}/dist/mcp.js`]
const remove = ['mcp', 'remove', '--scope', 'user', 'claude-peers']
const server = { type: 'stdio', command: '/usr/bin/node', args: [`${root}/dist/mcp.js`], env: EMPTY }

test('a client on the PATH registers the server, once', async () => {
  await using home = await openHome()
  const calls = await addClient(home)
  const report = await home.install()
  expect(await home.install()).toEqual([])
  expect(await calls()).toEqual([{ args: add, home: home.home }])
  expect(report.some(({ action }) => action === 'fail')).toBe(false)
  expect((await home.json('.claude.json')).mcpServers).toEqual({ 'claude-peers': server })
})

test('the client takes an older registration out first, and puts it back at the uninstall', async () => {
  await using home = await openHome()
  const calls = await addClient(home)
  await home.write('.claude.json', { mcpServers: { 'claude-peers': predecessorServer }, other: 1 })
  const before = await home.snapshot()
  await home.install()
  await home.uninstall()
  const back = [...words, '--', 'bun', '/Users/you/claude-peers-mcp/server.ts']
  expect((await calls()).map(({ args }) => args)).toEqual([remove, add, remove, back])
  expect(await home.snapshot()).toEqual(before)
})

test('what the client cannot say on a command line is edited in, secrets and all', async () => {
  await using home = await openHome()
  const calls = await addClient(home)
  const entry = { command: 'bun', args: ['server.ts'], env: { CLAUDE_PEERS_TOKEN: 'secret' }, timeout: 5 }
  await home.write('.claude.json', { mcpServers: { 'claude-peers': entry } })
  await home.install()
  const report = await home.uninstall()
  expect((await home.json('.claude.json')).mcpServers).toEqual({ 'claude-peers': entry })
  expect(JSON.stringify([await calls(), report])).not.toContain('secret')
})

test('a home without servers has none again after the uninstall', async () => {
  await using home = await openHome()
  await addClient(home)
  await home.write('.claude.json', '{"numStartups":1}')
  await home.install()
  await home.uninstall()
  expect(await home.snapshot()).toEqual({ '.claude.json': '{"numStartups":1}' })
})

test('a dry run starts no client', async () => {
  await using home = await openHome()
  const calls = await addClient(home)
  const shown = await home.install({ print: true })
  expect(await calls()).toEqual([])
  expect(shown).toEqual(await home.install())
})

test('the client is told whose configuration it is', async () => {
  await using home = await openHome()
  const calls = await addClient(home)
  const moved = home.path('work')
  await mkdir(moved)
  await home.install({ env: { ...home.options.env, HOME: '/wrong', CLAUDE_CONFIG_DIR: moved } })
  expect(await calls()).toEqual([{ args: add, home: home.home, moved }])
  expect(findClient(home.home, { ...home.options.env, CLAUDE_CONFIG_DIR: '' })?.env).not.toHaveProperty(
    'CLAUDE_CONFIG_DIR',
  )
})

test('a client that fails is reported in its own words, and the file is edited', async () => {
  await using home = await openHome()
  await addClient(home, 'echo "config is locked" >&2; exit 3')
  const report = await home.install()
  expect(report.at(-1)).toEqual({
    file: join(home.bin, 'claude'),
    action: 'fail',
    detail: `claude ${add.join(' ')}: config is locked; the file was edited instead`,
  })
  expect(await home.json('.claude.json')).toEqual({ mcpServers: { 'claude-peers': server } })
})

test('a client that says yes and does nothing is made good', async () => {
  await using home = await openHome()
  await addClient(home, 'exit 0')
  await home.install()
  expect(await home.json('.claude.json')).toEqual({ mcpServers: { 'claude-peers': server } })
})

test('a client that cannot be started, or does not end, is a failure with a reason', async () => {
  await using home = await openHome()
  await addClient(home, 'exec /bin/sleep 60')
  const client = findClient(home.home, home.options.env)!
  expect(await runClient(client, [], { timeout: 100 })).toBe('no answer within 0.1 s')
  await writeFile(client.file, '#!/no/such/interpreter\n')
  expect(await runClient(client, [])).toMatch(/ENOENT/)
})

test('only an executable file of that name on the PATH is a client', async () => {
  await using home = await openHome()
  await mkdir(join(home.base, 'a/claude'), { recursive: true })
  await mkdir(join(home.base, 'b'))
  await writeFile(join(home.base, 'b/claude'), '')
  const directories = ['', join(home.base, 'a'), join(home.base, 'b'), join(home.base, 'none')]
  expect(findClient(home.home, { PATH: directories.join(delimiter) })).toBeUndefined()
  expect(findClient(home.home, {})).toBeUndefined()
  await chmod(join(home.base, 'b/claude'), 0o755)
  expect(findClient(home.home, { PATH: directories.join(delimiter) })?.file).toBe(join(home.base, 'b/claude'))
})
