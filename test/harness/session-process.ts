/**
 * A stand-in for one Claude Code process, driven over IPC: it starts the MCP server and the hooks from the settings
 * that `claude-peers install` wrote, as the client does, so both have this process as their parent.
 */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { startMcp, type McpProcess } from './mcp-client.ts'

type Method = 'start' | 'tool' | 'hook' | 'waiter' | 'tools' | 'mcpPid' | 'stopMcp' | 'breakStdout'
type Call = { id: number; method: Method; params: never }
type McpEntry = { command: string; args: string[]; env?: Record<string, string> }
type StartOptions = { server?: number; wrapper?: string[]; command?: string[] }
type HookGroup = { matcher?: string; hooks: { command: string; async?: boolean }[] }

// The client's own name: a server behind a wrapper looks for it among its ancestors.
process.title = 'claude'
const home = process.env['HOME']!
const cardPath = join(home, '.claude-peers', 'sessions', `${process.pid}.json`)
const servers: McpProcess[] = []

process.on('message', (call: Call) => {
  Promise.resolve(methods[call.method](call.params)).then(
    (value) => process.send!({ id: call.id, value }),
    (cause: Error) => process.send!({ id: call.id, error: cause.message }),
  )
})
process.on('disconnect', () => process.exit(0))

const methods: Record<Method, (params: never) => unknown> = {
  async start({ server = 0, wrapper = [], command: given }: StartOptions) {
    const config = readJson(join(home, '.claude.json')) as { mcpServers: Record<string, McpEntry> }
    const { command, args, env } = config.mcpServers['claude-peers']!
    const words = [...wrapper, command, ...(given ?? args)]
    const started = await startMcp(words[0]!, words.slice(1), { ...process.env, ...env })
    servers[server] = started
    return { instructions: started.instructions, hadCard: existsSync(cardPath), pid: started.pid }
  },
  tools: () => servers[0]!.request('tools/list'),
  tool: ({ name, args, server }: { name: string; args: Record<string, unknown>; server: number }) =>
    servers[server]!.request('tools/call', { name, arguments: args }),
  mcpPid: ({ server }: { server: number }) => servers[server]!.pid,
  stopMcp: ({ server }: { server: number }) => servers[server]!.close(),
  breakStdout: ({ server }: { server: number }) => servers[server]!.breakOutput(),
  hook: ({ event, input, env }: { event: string; input: Record<string, unknown>; env: NodeJS.ProcessEnv }) =>
    runHooks(event, input, env),
  async waiter({ event, env }: { event: string; env: NodeJS.ProcessEnv }) {
    const commands = commandsOf(event, true)
    return Promise.all(commands.map((command) => runHook(command, toInput(event, {}), env)))
  },
}

/** Every hook of the event that the client waits for, in parallel, through the shell, with the client's environment. */
async function runHooks(event: string, input: Record<string, unknown>, env: NodeJS.ProcessEnv) {
  const stdin = toInput(event, input)
  return Promise.all(commandsOf(event, false).map((command) => runHook(command, stdin, env)))
}

function commandsOf(event: string, isAsync: boolean): string[] {
  const settings = readJson(join(home, '.claude', 'settings.json')) as { hooks: Record<string, HookGroup[]> }
  const hooks = (settings.hooks[event] ?? []).flatMap((group) => group.hooks)
  return hooks.flatMap(({ command, async }) => ((async ?? false) === isAsync ? [command] : []))
}

function toInput(event: string, input: Record<string, unknown>): string {
  return JSON.stringify({
    session_id: process.env['CLAUDE_CODE_SESSION_ID'],
    cwd: process.cwd(),
    hook_event_name: event,
    ...input,
  })
}

function runHook(command: string, stdin: string, env: NodeJS.ProcessEnv) {
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-c', command], { stdio: 'pipe', env: { ...process.env, ...env } })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
    // The gate ends without reading its input.
    child.stdin.on('error', () => undefined)
    child.stdin.end(stdin)
  })
}

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'))
