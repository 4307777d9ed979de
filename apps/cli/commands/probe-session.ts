import { answerCalls } from '#probe/calls'
import { runHook } from '#probe/hook-process'
import { startMcp, type McpProcess } from '#probe/mcp-process'

export type StartParams = { command: string; args: string[]; env: Record<string, string> }
export type Started = { version: string; tools: string[] }
export type HookParams = { command: string; input: object; timeoutMs: number }

/** How long a server may take to end whose client has gone. */
const GOODBYE_MS = 3_000

/** Stands in for one Claude Code process: `doctor --e2e` drives it over its channel, and its end ends this. */
export async function probeSession(): Promise<void> {
  // By this name the MCP server knows its client, and looks no further up for one.
  process.title = 'claude'
  let server: McpProcess | undefined
  const stop = async () => {
    const impatience = setTimeout(() => server && process.kill(server.pid, 'SIGKILL'), GOODBYE_MS)
    await server?.close()
    clearTimeout(impatience)
    server = undefined
  }
  await answerCalls({
    async start({ command, args, env }: StartParams): Promise<Started> {
      server = await startMcp(command, args, { env: { ...process.env, ...env } })
      const { tools } = (await server.request('tools/list')) as { tools: { name: string }[] }
      return { version: server.version, tools: tools.map((tool) => tool.name) }
    },
    tool: ({ name }: { name: string }) => server?.request('tools/call', { name, arguments: {} }),
    hook: ({ command, input, timeoutMs }: HookParams) =>
      runHook(command, { input, timeoutMs, env: process.env }),
    stop,
  })
  await stop()
  process.exit(0)
}
