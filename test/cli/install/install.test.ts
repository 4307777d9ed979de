import { chmod, lstat, mkdir, readlink, rm, symlink } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { hookCommands } from '../../../apps/cli/install/hooks.ts'
import { EMPTY, openHome, predecessorHook, predecessorHooks, predecessorServer, root } from './home.ts'

const ours = hookCommands({ node: '/usr/bin/node', root })
const server = { type: 'stdio', command: '/usr/bin/node', args: [`${root}/dist/mcp.js`], env: EMPTY }
const foreign = { matcher: 'Bash', hooks: [{ type: 'command', command: 'echo "foreign"' }] }

test('a fresh home gets the hooks, the server and the record, and nothing else', async () => {
  await using home = await openHome()
  const report = await home.install()
  expect(Object.keys(await home.snapshot())).toEqual([
    '.claude-peers/install.json',
    '.claude.json',
    '.claude/settings.json',
  ])
  expect(await home.json('.claude/settings.json')).toEqual({ hooks: ours })
  expect(await home.json('.claude.json')).toEqual({ mcpServers: { 'claude-peers': server } })
  expect(report.map(({ file, action }) => [file.slice(home.home.length), action])).toEqual([
    ['/.claude-peers/install.json', 'record'],
    ...Array.from({ length: 8 }, () => ['/.claude/settings.json', 'add']),
    ['/.claude.json', 'add'],
  ])
  expect(report.at(-1)?.detail).toBe(`mcpServers.claude-peers: /usr/bin/node ${root}/dist/mcp.js`)
})

test('what the install makes is for the user alone', async () => {
  await using home = await openHome()
  await mkdir(home.path('.claude-peers'), { mode: 0o755 })
  await home.install()
  const names = ['.claude-peers', '.claude-peers/install.json', '.claude.json', '.claude/settings.json']
  expect(await Promise.all(names.map(home.mode))).toEqual([0o700, 0o600, 0o600, 0o600])
})

test('everything that is there is kept, in its order', async () => {
  await using home = await openHome()
  const settings = {
    zeta: [1, { b: 1, a: 2 }],
    hooks: {
      Notification: [foreign],
      Stop: [foreign],
      Unheard: { of: true },
      PostToolUse: [foreign, foreign],
    },
    alpha: null,
  }
  const config = { numStartups: 3, mcpServers: { other: { url: 'https://a.test' } }, projects: { '/a': {} } }
  await home.write('.claude/settings.json', settings)
  await home.write('.claude.json', config)
  await home.install()
  const merged = {
    ...settings,
    hooks: {
      ...settings.hooks,
      Stop: [foreign, ...ours.Stop!],
      PostToolUse: [foreign, foreign, ...ours.PostToolUse!],
      UserPromptSubmit: ours.UserPromptSubmit,
      SessionStart: ours.SessionStart,
      Notification: [foreign, ...ours.Notification!],
    },
  }
  expect(await home.read('.claude/settings.json')).toBe(`${JSON.stringify(merged, undefined, 2)}\n`)
  const servers = { ...config.mcpServers, 'claude-peers': server }
  expect(await home.read('.claude.json')).toBe(
    `${JSON.stringify({ ...config, mcpServers: servers }, undefined, 2)}\n`,
  )
})

test('a second run reports nothing and leaves every byte', async () => {
  await using home = await openHome()
  await home.write('.claude/settings.json', { hooks: { Notification: [foreign], ...predecessorHooks } })
  await home.write('.claude.json', { mcpServers: { 'claude-peers': predecessorServer } })
  await home.install()
  const before = await home.snapshot()
  expect(await home.install()).toEqual([])
  expect(await home.snapshot()).toEqual(before)
})

test('the predecessor is replaced, and a foreign hook in its group stays', async () => {
  await using home = await openHome()
  const mixed = { matcher: '*', hooks: [predecessorHook, { type: 'command', command: 'bun test' }] }
  await home.write('.claude/settings.json', {
    hooks: { ...predecessorHooks, PostToolUse: [mixed], SubagentStop: [{ hooks: [predecessorHook] }] },
  })
  await home.write('.claude.json', { mcpServers: { 'claude-peers': predecessorServer } })
  const report = await home.install()
  expect(await home.json('.claude/settings.json')).toEqual({
    hooks: { ...ours, PostToolUse: [{ ...mixed, hooks: mixed.hooks.slice(1) }, ...ours.PostToolUse!] },
  })
  expect((await home.json('.claude.json')).mcpServers).toEqual({ 'claude-peers': server })
  expect(report.filter(({ action }) => action === 'remove').map(({ detail }) => detail)).toEqual(
    ['PostToolUse', 'Stop', 'UserPromptSubmit', 'SessionStart', 'SubagentStop'].map(
      (event) => `hooks.${event}: ${predecessorHook.command}`,
    ),
  )
  expect(report.at(-1)?.detail).toBe(
    `mcpServers.claude-peers: bun /Users/you/claude-peers-mcp/server.ts → /usr/bin/node ${root}/dist/mcp.js`,
  )
})

test('an install from another checkout replaces ours and keeps what the user added to the entry', async () => {
  await using home = await openHome()
  await home.install()
  const config = await home.json('.claude.json')
  config.mcpServers['claude-peers'].env = { CLAUDE_PEERS_HOST: 'desk' }
  await home.write('.claude.json', config)
  const report = await home.install({ root: '/elsewhere' })
  expect((await home.json('.claude/settings.json')).hooks).toEqual(
    hookCommands({ node: '/usr/bin/node', root: '/elsewhere' }),
  )
  expect((await home.json('.claude.json')).mcpServers['claude-peers']).toEqual({
    ...server,
    args: ['/elsewhere/dist/mcp.js'],
    env: { ...EMPTY, CLAUDE_PEERS_HOST: 'desk' },
  })
  expect(new Set(report.map(({ action }) => action))).toEqual(new Set(['backup', 'replace']))
})

test('a dry run reports what the run then does, and touches nothing', async () => {
  await using home = await openHome()
  await home.write('.claude/settings.json', { hooks: predecessorHooks })
  await home.write('.claude.json', { mcpServers: { 'claude-peers': predecessorServer } })
  const before = await home.snapshot()
  const shown = await home.install({ print: true })
  expect(await home.snapshot()).toEqual(before)
  expect(shown).toEqual(await home.install())
  expect(shown.length).toBeGreaterThan(0)
})

test('CLAUDE_CONFIG_DIR moves both files', async () => {
  await using home = await openHome()
  const env = { ...home.options.env, CLAUDE_CONFIG_DIR: home.path('work') }
  await home.install({ env })
  expect(Object.keys(await home.snapshot())).toEqual([
    '.claude-peers/install.json',
    'work/.claude.json',
    'work/settings.json',
  ])
})

test('the configuration name of early clients is used where it exists', async () => {
  await using home = await openHome()
  await home.write('.claude/.config.json', { early: true })
  await home.install()
  expect(await home.json('.claude/.config.json')).toEqual({
    early: true,
    mcpServers: { 'claude-peers': server },
  })
  expect(await home.snapshot()).not.toHaveProperty(['.claude.json'])
})

test('modes are kept, and a link stays a link to the file that is changed', async () => {
  await using home = await openHome()
  await home.write('dotfiles/settings.json', {})
  await home.write('.claude.json', {})
  await chmod(home.path('dotfiles/settings.json'), 0o640)
  await chmod(home.path('.claude.json'), 0o600)
  await mkdir(home.path('.claude'))
  await symlink('../dotfiles/settings.json', home.path('.claude/settings.json'))
  await home.install()
  expect(await readlink(home.path('.claude/settings.json'))).toBe('../dotfiles/settings.json')
  expect(await home.json('dotfiles/settings.json')).toEqual({ hooks: ours })
  const names = ['dotfiles/settings.json', '.claude/settings.json.claude-peers-backup', '.claude.json']
  expect(await Promise.all(names.map(home.mode))).toEqual([0o640, 0o640, 0o600])
})

test('a link to a file that does not exist yet is followed, and bare again after the uninstall', async () => {
  await using home = await openHome()
  await mkdir(home.path('.claude'))
  await symlink('../dotfiles/settings.json', home.path('.claude/settings.json'))
  await home.install()
  expect(await home.json('dotfiles/settings.json')).toEqual({ hooks: ours })
  await home.uninstall()
  expect((await lstat(home.path('.claude/settings.json'))).isSymbolicLink()).toBe(true)
  await expect(home.read('dotfiles/settings.json')).rejects.toThrow('ENOENT')
})

test('the first backup stays the original, the other one is the state before the last change', async () => {
  await using home = await openHome()
  await home.write('.claude/settings.json', '{"model":   "opus"}')
  await home.install()
  const first = await home.read('.claude/settings.json')
  await home.install({ root: '/b' })
  const second = await home.read('.claude/settings.json')
  await home.install({ root: '/c' })
  const backups = Object.entries(await home.snapshot()).filter(([file]) => file.includes('settings.json.'))
  expect(Object.fromEntries(backups)).toEqual({
    '.claude/settings.json.claude-peers-backup': '{"model":   "opus"}',
    '.claude/settings.json.claude-peers-backup-last': second,
  })
  expect(second).not.toBe(first)
})

test('the original in the backup outlives a lost record', async () => {
  await using home = await openHome()
  await home.write('.claude/settings.json', { model: 'opus' })
  await home.install()
  await rm(home.path('.claude-peers'), { recursive: true })
  await home.install({ root: '/elsewhere' })
  expect(await home.json('.claude/settings.json.claude-peers-backup')).toEqual({ model: 'opus' })
  await home.uninstall()
  expect(await home.json('.claude/settings.json')).toEqual({ model: 'opus' })
})

test('a hook of ours on an event that we no longer use is taken out', async () => {
  await using home = await openHome()
  await home.write('.claude/settings.json', { hooks: { ...ours, SessionEnd: [...ours.Stop!, foreign] } })
  const report = await home.install()
  expect(await home.json('.claude/settings.json')).toEqual({ hooks: { ...ours, SessionEnd: [foreign] } })
  expect(report).toContainEqual({
    file: home.path('.claude/settings.json'),
    action: 'remove',
    detail: `hooks.SessionEnd: ${ours.Stop?.[0]?.hooks[0]?.command}`,
  })
})
