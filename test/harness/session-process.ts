/**
 * A stand-in for one Claude Code process, driven over IPC: it starts the MCP server and the hooks from the settings
 * that `claude-peers install` wrote, as the client does, so both have this process as their parent.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'

type Call = { id: number; method: 'start' | 'tool' | 'hook' | 'tools' | 'mcpPid' | 'stopMcp'; params: never }
type McpEntry = { command: string; args: string[]; env?: Record<string, string> }
type HookGroup = { matcher?: string; hooks: { command: string; async?: boolean }[] }

const home = process.env['HOME']!
let client: Client | undefined
let transport: StdioClientTransport | undefined

process.on('message', (call: Call) => {
  Promise.resolve(methods[call.method](call.params)).then(
    (value) => process.send!({ id: call.id, value }),
    (cause: Error) => process.send!({ id: call.id, error: cause.message }),
  )
})
process.on('disconnect', () => process.exit(0))

const methods: Record<Call['method'], (params: never) => unknown> = {
  async start() {
    const config = readJson(join(home, '.claude.json')) as { mcpServers: Record<string, McpEntry> }
    const { command, args, env } = config.mcpServers['claude-peers']!
    transport = new StdioClientTransport({
      command,
      args,
      cwd: process.cwd(),
      env: { ...(process.env as Record<string, string>), ...env },
      stderr: 'inherit',
    })
    client = new Client({ name: 'session-process', version: '1.0.0' })
    await client.connect(transport)
    return client.getInstructions()
  },
  tools: () => client!.listTools(),
  tool: ({ name, args }: { name: string; args: Record<string, unknown> }) =>
    client!.callTool({ name, arguments: args }),
  mcpPid: () => transport!.pid,
  stopMcp: () => client!.close(),
  hook: ({ event, input }: { event: string; input: Record<string, unknown> }) => runHooks(event, input),
}

/** Every hook of the event, in parallel, through the shell, with the client's environment. */
async function runHooks(event: string, input: Record<string, unknown>) {
  const settings = readJson(join(home, '.claude', 'settings.json')) as { hooks: Record<string, HookGroup[]> }
  const commands = (settings.hooks[event] ?? []).flatMap((group) => group.hooks).filter((hook) => !hook.async)
  const stdin = JSON.stringify({
    session_id: process.env['CLAUDE_CODE_SESSION_ID'],
    cwd: process.cwd(),
    hook_event_name: event,
    ...input,
  })
  return Promise.all(commands.map(({ command }) => runHook(command, stdin)))
}

function runHook(command: string, stdin: string) {
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-c', command], { stdio: 'pipe' })
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
