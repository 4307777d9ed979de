import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { installVersion } from '../harness/installation.ts'
import {
  breakHook,
  hookOf,
  openPatient,
  SETTINGS,
  type ClientConfig,
  type ClientSettings,
  type Patient,
} from './doctor.ts'
import { predecessorHooks, predecessorServer } from './install/home.ts'

type Breakage = [
  what: string,
  { about: string; says: RegExp; run?: string },
  (patient: Patient) => Promise<unknown>,
]

const INSTALL = 'claude-peers install'
const settings = (change: (settings: ClientSettings) => void) => (patient: Patient) =>
  patient.editSettings(change)
const server = (change: (entry: ClientConfig['mcpServers'][string]) => void) => (patient: Patient) =>
  patient.editClient((config) => change(config.mcpServers['claude-peers']!))

const breakages: Breakage[] = [
  [
    'a client that is too old',
    { about: 'Claude Code', says: /^2\.1\.196 .* is older than 2\.1\.197/, run: 'claude update' },
    (patient) => writeFile(patient.file('bin/version'), '2.1.196 (Claude Code)'),
  ],
  [
    'an MCP server that is not registered',
    { about: 'MCP server', says: /^none is registered in .*\.claude\.json/, run: INSTALL },
    (patient) => patient.editClient((config) => (config.mcpServers = {})),
  ],
  [
    'the MCP server of v2',
    { about: 'MCP server', says: /^that of claude-peers v2 is registered/, run: INSTALL },
    (patient) => patient.editClient((config) => (config.mcpServers['claude-peers'] = predecessorServer)),
  ],
  [
    'an MCP server of v2 by another name',
    {
      about: 'MCP server',
      says: /^claude-peers v2 is still registered as old/,
      run: 'claude mcp remove --scope user old',
    },
    (patient) => patient.editClient((config) => (config.mcpServers['old'] = predecessorServer)),
  ],
  [
    'an MCP server whose file is gone',
    { about: 'MCP server', says: /^\/gone\/dist\/mcp\.js is not there/, run: INSTALL },
    server((entry) => (entry.args = ['/gone/dist/mcp.js'])),
  ],
  [
    'an MCP server whose Node is gone',
    { about: 'MCP server', says: /^\/gone\/node, which is to run it, is not there/, run: INSTALL },
    server((entry) => (entry.command = '/gone/node')),
  ],
  [
    'an MCP server whose Node is too old',
    { about: 'MCP server', says: /is Node 20\.1\.0; it needs >=22/, run: INSTALL },
    async (patient) => {
      const node = patient.file('bin/node')
      await writeFile(node, '#!/bin/sh\necho v20.1.0\n', { mode: 0o755 })
      await server((entry) => (entry.command = node))(patient)
    },
  ],
  [
    'no hooks',
    { about: 'hooks', says: /^none is registered in .*settings\.json/, run: INSTALL },
    settings((all) => (all.hooks = {})),
  ],
  [
    'a hook that is not registered',
    { about: 'hooks', says: /^that of Stop is not registered/, run: INSTALL },
    settings((all) => delete all.hooks['Stop']),
  ],
  [
    'a hook whose file is gone',
    { about: 'hooks', says: /^\/gone\/dist\/hook\.cjs, which they run, is not there/, run: INSTALL },
    settings((all) => breakHook(hookOf(all, 'Stop'))),
  ],
  [
    'a hook of another form',
    { about: 'hooks', says: /^they are not as this version writes them/, run: INSTALL },
    settings((all) => (hookOf(all, 'PostToolUse').command = hookOf(all, 'Stop').command)),
  ],
  [
    'a hook that is registered twice',
    { about: 'duplicates', says: /^the hook of Stop is registered twice/, run: INSTALL },
    settings((all) => all.hooks['Stop']!.push(...all.hooks['Stop']!)),
  ],
  [
    'hooks of v2',
    { about: 'hooks', says: /^those of claude-peers v2 are registered as well/, run: INSTALL },
    settings((all) => all.hooks['Stop']!.push(...predecessorHooks.Stop)),
  ],
]

describe.concurrent('doctor finds', () => {
  test.each(breakages)('%s, and its advice helps', async (_, { about, says, run }, breakIt) => {
    await using patient = await openPatient()
    await breakIt(patient)
    const [line, ...others] = await patient.fixes()
    expect([line, others]).toEqual([
      { about, state: 'fix', says: expect.stringMatching(says), ...(run && { run }) },
      [],
    ])
    expect((await patient.follow(line!)).code).toBe(0)
    expect(await patient.fixes()).toEqual([])
  })

  test.each(['settings.json', 'settings.local.json'])(
    'hooks that %s of the project switches off',
    async (name) => {
      await using patient = await openPatient()
      const file = name === 'settings.json' ? patient.file(SETTINGS) : patient.file(`.claude/${name}`)
      const before = await readFile(file, 'utf8').catch(() => '{}')
      await writeFile(file, JSON.stringify({ ...JSON.parse(before), disableAllHooks: true }))
      expect(await patient.fixes()).toEqual([
        {
          about: 'hooks',
          state: 'fix',
          says: `${file} keeps them from running: take "disableAllHooks" out of it.`,
        },
      ])
      await writeFile(file, before)
      expect(await patient.fixes()).toEqual([])
    },
  )

  test('settings of the client that are not JSON', async () => {
    await using patient = await openPatient()
    await writeFile(patient.file(SETTINGS), '{"hooks":')
    expect(await patient.fixes()).toMatchObject([
      { about: 'hooks', says: expect.stringMatching(/settings\.json:1:\d+ is not valid JSON/) },
    ])
  })

  test('a plugin beside the settings, and is content with the plugin alone', async () => {
    await using patient = await openPatient()
    await patient.editSettings((settings) => (settings.enabledPlugins = { 'claude-peers@market': true }))
    const [line, ...others] = await patient.fixes()
    expect([line, others]).toMatchObject([
      {
        about: 'duplicates',
        says: expect.stringContaining('claude-peers@market'),
        run: 'claude-peers uninstall',
      },
      [],
    ])
    await patient.follow(line!)
    const { code, lines } = await patient.doctor()
    expect(code).toBe(0)
    expect(lines.filter((one) => one.says.includes('of the plugin claude-peers@market'))).toHaveLength(2)
  })

  test('a registration for one directory that takes the place of the user’s', async () => {
    await using patient = await openPatient()
    const { path } = patient.home
    await patient.editClient((config) => {
      config.projects = { [path]: { mcpServers: { 'claude-peers': predecessorServer } } }
    })
    expect(await patient.fixes()).toMatchObject([
      { about: 'MCP server', run: 'claude mcp remove --scope local claude-peers' },
    ])
  })

  test('hooks in the settings of a project as well', async () => {
    await using patient = await openPatient()
    const file = patient.file('.claude/settings.local.json')
    await writeFile(file, await readFile(patient.file(SETTINGS), 'utf8'))
    expect(await patient.fixes()).toEqual([
      { about: 'duplicates', state: 'fix', says: `${file} has our hooks as well: take them out there.` },
    ])
  })

  test('the installation of another version, and not another one of the same version', async () => {
    await using patient = await openPatient()
    for (const [version, run] of [
      ['3.0.0', undefined],
      ['2.9.9', INSTALL],
    ] as const) {
      await using other = await installVersion(version)
      const install = [join(other.root, 'bin/claude-peers.cjs'), 'install']
      await patient.follow({
        about: '',
        state: 'fix',
        says: '',
        run: [process.execPath, ...install].join(' '),
      })
      const fixes = await patient.fixes()
      expect(fixes.map((line) => [line.about, line.run])).toEqual(
        run ? [['registered installation', run]] : [],
      )
      if (run) await patient.follow(fixes[0]!)
    }
    expect(await patient.fixes()).toEqual([])
  })

  test('no version in what a client prints that tells none', async () => {
    await using patient = await openPatient()
    await writeFile(patient.file('bin/version'), 'Error 0: cannot open display 1')
    const { lines } = await patient.doctor()
    expect(lines).toContainEqual(
      expect.objectContaining({
        about: 'Claude Code',
        state: 'unknown',
        says: expect.stringMatching(/bin\/claude does not tell its version$/),
      }),
    )
  })

  test('its way to a configuration directory of the user’s choice', async () => {
    await using patient = await openPatient()
    const env = { CLAUDE_CONFIG_DIR: patient.file('elsewhere') }
    await mkdir(env.CLAUDE_CONFIG_DIR)
    await writeFile(patient.file('elsewhere/.config.json'), '{}')
    // In the home as the working directory these would be those of a project.
    await patient.home.cli(['uninstall'])
    const [line] = await patient.fixes(env)
    expect(line!.says).toContain('elsewhere/.config.json')
    await patient.home.cli(['install'], { env })
    expect(await patient.fixes(env)).toEqual([])
  })
})
