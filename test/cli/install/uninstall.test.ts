import { expect, test } from 'vitest'
import { openHome, predecessorHook, predecessorHooks, predecessorServer } from './home.ts'

const foreign = { matcher: 'Bash', hooks: [{ type: 'command', command: 'echo "foreign"' }] }

const homes: [string, { settings?: unknown; config?: unknown }][] = [
  ['no files at all', {}],
  ['only settings', { settings: { model: 'opus' } }],
  ['only a user configuration', { config: { numStartups: 1 } }],
  [
    'the predecessor',
    { settings: { hooks: predecessorHooks }, config: { mcpServers: { 'claude-peers': predecessorServer } } },
  ],
  [
    'the predecessor between foreign hooks',
    {
      settings: {
        hooks: {
          Stop: [
            foreign,
            { hooks: [predecessorHook] },
            foreign,
            { hooks: [foreign.hooks[0], predecessorHook] },
            { hooks: [predecessorHook] },
          ],
          SubagentStop: [
            { hooks: [predecessorHook, predecessorHook] },
            { hooks: [predecessorHook] },
            foreign,
          ],
          PostToolUse: [{ matcher: '*', hooks: [predecessorHook] }, foreign],
        },
        env: { A: '1' },
      },
      config: {
        mcpServers: {
          a: {},
          'claude-peers': { command: 'bun', args: ['server.ts'], env: { T: 's' } },
          z: {},
        },
      },
    },
  ],
  ['empty containers', { settings: { hooks: {} }, config: { mcpServers: {} } }],
  ['empty events', { settings: { hooks: { Stop: [], PostToolUse: null, Notification: [] } }, config: {} }],
  ['nulls', { settings: { hooks: null }, config: { mcpServers: null } }],
  ['empty objects', { settings: {}, config: {} }],
  [
    'odd groups',
    {
      settings: {
        hooks: {
          Stop: [
            null,
            'text',
            { matcher: 'x' },
            { hooks: null },
            { hooks: 'text' },
            { hooks: [] },
            { hooks: [1, {}, { command: 7 }] },
          ],
          PreCompact: 'text',
          constructor: [foreign],
          toString: { of: 'ours' },
        },
      },
      config: { mcpServers: { 'claude-peers': null } },
    },
  ],
]

test.each(homes)(
  'a home with %s is after the uninstall what it was, to the byte',
  async (_, { settings, config }) => {
    await using home = await openHome()
    if (settings !== undefined)
      await home.write('.claude/settings.json', JSON.stringify(settings, undefined, 3))
    if (config !== undefined) await home.write('.claude.json', JSON.stringify(config, undefined, 1))
    const before = await home.snapshot()
    await home.install()
    await home.install()
    await home.install({ root: '/elsewhere' })
    expect(await home.snapshot()).not.toEqual(before)
    await home.uninstall()
    expect(await home.snapshot()).toEqual(before)
    expect(await home.uninstall()).toEqual([])
  },
)

test('what the user changed in the meantime stays, and both backups with it', async () => {
  await using home = await openHome()
  await home.write('.claude/settings.json', {
    hooks: { ...predecessorHooks, Stop: [foreign, { hooks: [predecessorHook] }] },
  })
  await home.write('.claude.json', { mcpServers: { 'claude-peers': predecessorServer } })
  await home.install()
  const settings = await home.json('.claude/settings.json')
  settings.model = 'opus'
  settings.hooks.Stop.reverse()
  settings.hooks.Stop[0].hooks.push(foreign.hooks[0])
  await home.write('.claude/settings.json', settings)
  await home.write('.claude.json', { ...(await home.json('.claude.json')), numStartups: 2 })
  await home.uninstall()
  expect(await home.json('.claude/settings.json')).toEqual({
    hooks: {
      ...predecessorHooks,
      Stop: [{ hooks: [foreign.hooks[0]] }, { hooks: [predecessorHook] }, foreign],
    },
    model: 'opus',
  })
  expect(await home.json('.claude.json')).toEqual({
    mcpServers: { 'claude-peers': predecessorServer },
    numStartups: 2,
  })
  expect(Object.keys(await home.snapshot())).toEqual([
    '.claude.json',
    '.claude.json.claude-peers-backup',
    '.claude.json.claude-peers-backup-last',
    '.claude/settings.json',
    '.claude/settings.json.claude-peers-backup',
    '.claude/settings.json.claude-peers-backup-last',
  ])
})

test('a predecessor group that was changed since comes back beside the changed one', async () => {
  await using home = await openHome()
  await home.write('.claude/settings.json', {
    hooks: { Stop: [{ hooks: [foreign.hooks[0], predecessorHook] }] },
  })
  await home.install()
  const settings = await home.json('.claude/settings.json')
  settings.hooks.Stop[0].hooks[0].command = 'echo changed'
  await home.write('.claude/settings.json', settings)
  await home.uninstall()
  expect((await home.json('.claude/settings.json')).hooks.Stop).toEqual([
    { hooks: [predecessorHook] },
    { hooks: [{ type: 'command', command: 'echo changed' }] },
  ])
})

test('a predecessor that came back after the install is put back once', async () => {
  await using home = await openHome()
  await home.write('.claude/settings.json', { hooks: predecessorHooks })
  await home.install()
  const settings = await home.json('.claude/settings.json')
  settings.hooks.Stop.push(...predecessorHooks.Stop)
  await home.write('.claude/settings.json', settings)
  await home.install()
  await home.uninstall()
  expect(await home.json('.claude/settings.json')).toEqual({ hooks: predecessorHooks })
})

test('of two registrations that were replaced one after the other, the later comes back', async () => {
  await using home = await openHome()
  await home.write('.claude.json', { mcpServers: { 'claude-peers': predecessorServer } })
  await home.install()
  const later = { ...predecessorServer, args: ['/a/newer/clone/server.ts'] }
  await home.write('.claude.json', { mcpServers: { 'claude-peers': later } })
  await home.install()
  await home.uninstall()
  expect(await home.json('.claude.json')).toEqual({ mcpServers: { 'claude-peers': later } })
})

test('an uninstall that was cut short is finished by the next one', async () => {
  await using home = await openHome()
  await home.write('.claude/settings.json', { hooks: predecessorHooks })
  await home.install()
  const record = await home.read('.claude-peers/install.json')
  await home.uninstall()
  const restored = await home.read('.claude/settings.json')
  await home.write('.claude-peers/install.json', record)
  expect(await home.uninstall()).toHaveLength(1)
  expect(await home.read('.claude/settings.json')).toBe(restored)
})

test('without the record ours still go, and another server of our name stays', async () => {
  await using home = await openHome()
  await home.install()
  await home.write('.claude-peers/install.json', { version: 1, installs: {} })
  await home.write('.claude.json', { mcpServers: { 'claude-peers': predecessorServer } })
  await home.uninstall()
  expect(await home.json('.claude/settings.json')).toEqual({})
  expect(await home.json('.claude.json')).toEqual({ mcpServers: { 'claude-peers': predecessorServer } })
})

test('each configuration directory has its own record', async () => {
  await using home = await openHome()
  const env = { ...home.options.env, CLAUDE_CONFIG_DIR: home.path('work') }
  await home.write('work/settings.json', { hooks: predecessorHooks })
  await home.write('.claude/settings.json', { model: 'opus' })
  const before = await home.snapshot()
  await home.install()
  const withOne = await home.snapshot()
  await home.install({ env })
  await home.uninstall({ env })
  expect(await home.snapshot()).toEqual(withOne)
  await home.uninstall()
  expect(await home.snapshot()).toEqual(before)
})

test('a dry uninstall reports what the uninstall then does, and touches nothing', async () => {
  await using home = await openHome()
  await home.write('.claude/settings.json', { hooks: predecessorHooks })
  await home.install()
  const before = await home.snapshot()
  const shown = await home.uninstall({ print: true })
  expect(await home.snapshot()).toEqual(before)
  expect(shown).toEqual(await home.uninstall())
  const actions = Object.groupBy(shown, ({ action }) => action)
  expect([actions.restore?.length, actions.remove?.length, shown.length]).toEqual([4, 12, 16])
})
