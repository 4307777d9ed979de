import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { guardHome, killProcessesOf } from './processes.ts'

/** The hooks of a settings.json, by event. */
export type Hooks = Record<string, { matcher?: string; hooks: HookCommand[] }[]>

/** One hook command, run by `/bin/sh -c`; `timeout` is in seconds. */
export type HookCommand = {
  type: 'command'
  command: string
  timeout?: number
  async?: boolean
  asyncRewake?: boolean
}

/** A stdio MCP server as `.claude.json` names it. */
export type McpServer = { command: string; args?: string[]; env?: Record<string, string> }

/** A temporary home of the client: its dispose kills every process that runs with it as HOME, then removes it. */
export type Home<Name extends string = string> = {
  path: string
  /** `.claude.json`: trust, MCP servers. */
  configPath: string
  /** `.claude/settings.json`: hooks. */
  settingsPath: string
  /** The directories of the projects, by name. */
  projects: Record<Name, string>
  [Symbol.asyncDispose]: () => Promise<void>
}

/** What a home holds from the start; with `git` each project is a repository of its own. */
export type HomeOptions<Name extends string> = {
  projects: Name[]
  git?: boolean
  hooks?: Hooks
  mcpServers?: Record<string, McpServer>
}

/** Makes a home whose client asks no question in the projects: no onboarding, no trust, no API key dialog. */
export async function createHome<Name extends string>(options: HomeOptions<Name>): Promise<Home<Name>> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'claude-home-')))
  const release = guardHome(path)
  const entries = options.projects.map((name) => [name, join(path, 'work', name)] as const)
  const home: Home<Name> = {
    path,
    configPath: join(path, '.claude.json'),
    settingsPath: join(path, '.claude', 'settings.json'),
    projects: Object.fromEntries(entries) as Record<Name, string>,
    async [Symbol.asyncDispose]() {
      await killProcessesOf(path)
      release()
      await rm(path, { recursive: true, force: true, maxRetries: 3 })
    },
  }
  await Promise.all([mkdir(join(path, '.claude')), mkdir(join(path, 'tmp'))])
  await writeFile(home.configPath, JSON.stringify(toConfig(Object.values(home.projects), options.mcpServers)))
  const settings = { skipDangerousModePermissionPrompt: true, hooks: options.hooks ?? {} }
  await writeFile(home.settingsPath, JSON.stringify(settings))
  for (const [, directory] of entries) {
    await mkdir(directory, { recursive: true })
    if (options.git)
      await run('git', ['init', '--quiet', directory], { env: { PATH: basePath(), HOME: path } })
  }
  return home
}

/** The environment of the client, made from scratch: only PATH is inherited, without any `node_modules/.bin`. */
export function clientEnvironment(options: { home: Home; modelUrl: string }): Record<string, string> {
  const { home, modelUrl } = options
  return {
    PATH: basePath(),
    TERM: 'xterm-256color',
    HOME: home.path,
    // The client leaves the output of its tasks there.
    TMPDIR: join(home.path, 'tmp'),
    IS_SANDBOX: '1',
    // For the hub that its sessions start.
    CLAUDE_PEERS_NOTIFY_COMMAND: 'off',
    ANTHROPIC_BASE_URL: modelUrl,
    ANTHROPIC_API_KEY: API_KEY,
    DISABLE_TELEMETRY: '1',
    DISABLE_AUTOUPDATER: '1',
    DISABLE_INSTALLATION_CHECKS: '1',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    // Not covered by the line above: the client fetches its plugin marketplace on its first start.
    CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL: '1',
    // The classic renderer: the other one counts killed sessions as crashes and changes by itself after some.
    CLAUDE_CODE_DISABLE_ALTERNATE_SCREEN: '1',
  }
}

const API_KEY = 'sk-fake'
const run = promisify(execFile)

function basePath(): string {
  const entries = (process.env.PATH ?? '').split(delimiter)
  return entries.filter((entry) => !/node_modules[/\\](\.bin|@?npm)/.test(entry)).join(delimiter)
}

function toConfig(projects: string[], mcpServers: Record<string, McpServer> = {}): unknown {
  const trusted = { hasTrustDialogAccepted: true, hasCompletedProjectOnboarding: true }
  return {
    hasCompletedOnboarding: true,
    theme: 'dark',
    bypassPermissionsModeAccepted: true,
    customApiKeyResponses: { approved: [API_KEY], rejected: [] },
    projects: Object.fromEntries(projects.map((project) => [project, trusted])),
    mcpServers,
  }
}
