/**
 * A stand-in for one Claude Code process, driven over IPC: it starts the MCP server and the hooks from the settings
 * that `claude-peers install` wrote, as the client does, so both have this process as their parent.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { answerCalls } from '../../lib/probe/calls.ts'
import { runHook } from '../../lib/probe/hook-process.ts'
import { startMcp, type McpProcess } from '../../lib/probe/mcp-process.ts'
import { ownIdentity, toLabel } from '../../lib/machine/processes.ts'

type McpEntry = { command: string; args: string[]; env?: Record<string, string> }
type StartOptions = { server?: number; wrapper?: string[]; command?: string[]; client?: string }
type HookGroup = { matcher?: string; hooks: { command: string; async?: boolean }[] }

// The client's own name: a server behind a wrapper looks for it among its ancestors.
process.title = 'claude'
const home = process.env['HOME']!
const cardPath = join(home, '.claude-peers', 'sessions', `${toLabel(process.pid)}.json`)
const servers: McpProcess[] = []
/** What it hands on and does not obey itself, as the client, which is no program of Node. */
const environment: NodeJS.ProcessEnv = {
  ...process.env,
  ...(JSON.parse(process.env['INHERITED'] ?? '{}') as Record<string, string>),
}

await answerCalls({
  async start({ server = 0, wrapper = [], command: given, client }: StartOptions) {
    const config = readJson(join(home, '.claude.json')) as { mcpServers: Record<string, McpEntry> }
    const { command, args, env } = config.mcpServers['claude-peers']!
    const words = [...wrapper, command, ...(given ?? args)]
    const started = await startMcp(words[0]!, words.slice(1), {
      env: { ...environment, ...env },
      ...(client !== undefined && { client }),
    })
    servers[server] = started
    return { instructions: started.instructions, hadCard: existsSync(cardPath), pid: started.pid }
  },
  tools: () => servers[0]!.request('tools/list'),
  tool: ({ name, args, server }: { name: string; args: Record<string, unknown>; server: number }) =>
    servers[server]!.request('tools/call', { name, arguments: args }),
  identity: () => ownIdentity(),
  mcpPid: ({ server }: { server: number }) => servers[server]!.pid,
  stopMcp: ({ server }: { server: number }) => servers[server]!.close(),
  breakStdout: ({ server }: { server: number }) => servers[server]!.breakOutput(),
  hook: ({ event, input, env }: { event: string; input: Record<string, unknown>; env: NodeJS.ProcessEnv }) =>
    runHooks(event, input, env),
  async waiter({ event, env }: { event: string; env: NodeJS.ProcessEnv }) {
    const commands = commandsOf(event, true)
    return Promise.all(commands.map((command) => run(command, { event, env })))
  },
})
process.exit(0)

/** Every hook of the event that the client waits for, in parallel, through the shell, with the client's environment. */
async function runHooks(event: string, input: Record<string, unknown>, env: NodeJS.ProcessEnv) {
  return Promise.all(commandsOf(event, false).map((command) => run(command, { event, input, env })))
}

function commandsOf(event: string, isAsync: boolean): string[] {
  const settings = readJson(join(home, '.claude', 'settings.json')) as { hooks: Record<string, HookGroup[]> }
  const hooks = (settings.hooks[event] ?? []).flatMap((group) => group.hooks)
  return hooks.flatMap(({ command, async }) => ((async ?? false) === isAsync ? [command] : []))
}

function run(
  command: string,
  { event, input, env }: { event: string; input?: Record<string, unknown>; env: NodeJS.ProcessEnv },
) {
  const session_id = process.env['CLAUDE_CODE_SESSION_ID']
  const given = { session_id, cwd: process.cwd(), hook_event_name: event, ...input }
  // The client names the session of the input in the environment as well, also after `/clear`.
  return runHook(command, {
    input: given,
    env: { ...environment, CLAUDE_CODE_SESSION_ID: given.session_id, ...env },
  })
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'))
}
