import { fork, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Home } from './home.ts'

export type HookRun = { code: number | null; stdout: string; stderr: string }
export type ToolResult = { isError?: boolean; text: string; data: Record<string, unknown> }

/** One session: a process that stands for the Claude client, with its MCP server and hooks. */
export type Session = AsyncDisposable & {
  pid: number
  sessionId: string
  instructions: string
  tool(name: string, args?: Record<string, unknown>): Promise<ToolResult>
  tools(): Promise<{ tools: { name: string; description?: string; inputSchema: unknown }[] }>
  /** Runs every hook of an event and gives what each printed. */
  hook(event: string, input?: Record<string, unknown>): Promise<HookRun[]>
  /** The text that an event's hooks give the model, or `''`. */
  deliver(event: string, input?: Record<string, unknown>): Promise<string>
  mcpPid(): Promise<number>
  /** Starts the MCP server again, as `/mcp` reconnect does. */
  restartMcp(): Promise<void>
  stopMcp(): Promise<void>
  kill(signal: NodeJS.Signals): Promise<void>
}

/** Starts a session in a directory of a home where claude-peers is installed. */
export async function startSession(
  home: Home,
  {
    cwd,
    sessionId = randomUUID(),
    env = {},
  }: { cwd: string; sessionId?: string; env?: Record<string, string> },
): Promise<Session> {
  const child = fork(join(import.meta.dirname, 'session-process.ts'), {
    cwd,
    env: { ...home.env, CLAUDE_CODE_SESSION_ID: sessionId, ...env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const call = toCaller(child)
  const exited = once(child, 'exit')
  const hook = (event: string, input: Record<string, unknown> = {}) =>
    call<HookRun[]>('hook', { event, input })
  return {
    pid: child.pid!,
    sessionId,
    instructions: await call<string>('start'),
    async tool(name, args = {}) {
      const result = await call<{
        isError?: boolean
        content: { text: string }[]
        structuredContent?: Record<string, unknown>
      }>('tool', { name, args })
      const text = result.content.map((part) => part.text).join('\n')
      return { ...(result.isError && { isError: true }), text, data: result.structuredContent ?? {} }
    },
    tools: () => call('tools'),
    hook,
    async deliver(event, input) {
      return (await hook(event, input)).map(toContext).join('')
    },
    mcpPid: () => call('mcpPid'),
    async restartMcp() {
      await call('stopMcp')
      await call('start')
    },
    stopMcp: () => call('stopMcp'),
    async kill(signal) {
      child.kill(signal)
      await exited
    },
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect()
      await exited
    },
  }
}

/** What the client would show the model of a hook's output. */
export function toContext({ stdout }: HookRun): string {
  if (stdout === '') return ''
  const output = JSON.parse(stdout) as {
    reason?: string
    hookSpecificOutput?: { additionalContext?: string }
  }
  return output.reason ?? output.hookSpecificOutput?.additionalContext ?? ''
}

function toCaller(child: ChildProcess) {
  let last = 0
  return <T>(method: string, params: unknown = {}): Promise<T> =>
    new Promise((resolve, reject) => {
      const id = ++last
      const onExit = () => reject(new Error(`the session ended during ${method}`))
      const onMessage = (message: { id: number; value?: T; error?: string }) => {
        if (message.id !== id) return
        child.off('message', onMessage).off('exit', onExit)
        if (message.error === undefined) resolve(message.value as T)
        else reject(new Error(message.error))
      }
      child.on('message', onMessage).once('exit', onExit)
      child.send({ id, method, params })
    })
}
