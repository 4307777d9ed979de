import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { listCards, type Card } from '../../lib/machine/cards.ts'
import { readIfThere } from '../../lib/machine/files.ts'
import { isAlive, isIdentical, toLabel, type ProcessIdentity } from '../../lib/machine/processes.ts'
import { toCaller } from '../../lib/probe/calls.ts'
import { toContext, type HookRun } from '../../lib/probe/hook-process.ts'
import { kill } from '../e2e/claude/processes.ts'
import { checkAnswer } from './answer-schema.ts'
import { toFork, type Home } from './home.ts'
import { waitFor } from './wait.ts'

export type ToolResult = { isError?: boolean; text: string; data: Record<string, unknown> }
type ListedTool = {
  name: string
  title?: string
  description?: string
  inputSchema: Record<string, unknown>
  outputSchema?: Record<string, unknown>
  annotations?: Record<string, unknown>
}

export { toContext, type HookRun } from '../../lib/probe/hook-process.ts'

/** One session: a process that stands for the Claude client, with its MCP server and hooks. */
export type Session = AsyncDisposable & {
  pid: number
  claude: ProcessIdentity
  sessionId: string
  instructions: string
  /** Whether the card was there when `initialize` was answered. */
  hadCard: boolean
  tool(name: string, args?: Record<string, unknown>, options?: { server?: number }): Promise<ToolResult>
  tools(): Promise<{ tools: ListedTool[] }>
  /** Runs every hook of an event and gives what each printed. */
  hook(event: string, input?: Record<string, unknown>, env?: Record<string, string>): Promise<HookRun[]>
  /** The text that an event's hooks give the model, or `''`. */
  deliver(event: string, input?: Record<string, unknown>): Promise<string>
  /** Starts the waiters of an event, as the client does beside a turn, and gives how they end. */
  waiter(event?: string, env?: Record<string, string>): Promise<HookRun[]>
  /** The waiter that has this session's place; undefined when there is none. */
  waiterPid(): number | undefined
  mcpPid(server?: number): Promise<number>
  /** Ends the MCP server with -9, unless it has ended already, and resolves when its client has noticed. */
  killMcp(): Promise<void>
  /** Starts the MCP server again, as `/mcp` reconnect does. */
  restartMcp(): Promise<void>
  /** Starts one more under the same Claude process, or the first again after it died. */
  startMcp(server: number, options?: { wrapper?: string[] }): Promise<void>
  stopMcp(server?: number): Promise<void>
  /** Closes the reading end of the server's standard output. */
  breakStdout(): Promise<void>
  card(): Card | undefined
  hasMailFlag(): boolean
  /** Resolves when the flag is up that tells the gate of waiting mail. */
  mailWaits(): Promise<void>
  /**
   * Resolves when the flag is down again. What waits is announced a moment after it is stored, and so is that it was
   * taken: between two messages, a flag that is up may still be that of the first, and go down before a gate looks.
   */
  mailTaken(): Promise<void>
  kill(signal: NodeJS.Signals): Promise<void>
}

export type SessionOptions = {
  cwd: string
  sessionId?: string
  env?: Record<string, string>
  /** What the client has inherited and hands on to all that it starts. */
  inherited?: Record<string, string>
  /** Words to start the MCP server with, such as those of a shell. */
  wrapper?: string[]
  /** How its client names itself; Claude Code unless it is given. */
  client?: string
  /** Arguments for Node in place of those that install wrote. */
  command?: string[]
  /** Words that start it in a pid namespace of its own, such as `CONTAINER`. */
  container?: string[]
  /** Whether to wait until the hub knows it; true unless there is no hub to be had. */
  registered?: boolean
}

/** Starts what follows as the first process of a pid namespace, as a container does; needs root. It ends with its starter. */
export const CONTAINER = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc']

/** Starts a session in a directory of a home where claude-peers is installed. */
export async function startSession(
  home: Home,
  {
    cwd,
    sessionId = randomUUID(),
    env = {},
    inherited = {},
    wrapper = [],
    command,
    client,
    container = [],
    registered = true,
  }: SessionOptions,
): Promise<Session> {
  const child = fork(join(import.meta.dirname, 'session-process.ts'), {
    ...toFork([...home.enter, ...container]),
    cwd,
    env: { ...home.env, CLAUDE_CODE_SESSION_ID: sessionId, INHERITED: JSON.stringify(inherited), ...env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const call = toCaller(child)
  const exited = once(child, 'exit')
  const claude = await call<ProcessIdentity>('identity')
  const { pid } = claude
  const directory = join(home.path, '.claude-peers/sessions')
  const fileOf = (kind: string) => join(directory, `${toLabel(pid, claude.namespace)}.${kind}`)
  const card = () => listCards(directory).find((one) => isIdentical(one.claude, claude))
  const hook = (event: string, input: Record<string, unknown> = {}, env: Record<string, string> = {}) =>
    call<HookRun[]>('hook', { event, input, env })
  const hasMailFlag = () => existsSync(fileOf('mail'))
  const servers: number[] = []
  const start = async (options: { server?: number; wrapper?: string[]; command?: string[] | undefined }) => {
    const given = { client, ...options }
    const started = await call<{ instructions: string; hadCard: boolean; pid: number }>('start', given)
    servers.push(started.pid)
    return started
  }
  const { instructions, hadCard } = await start({ wrapper, command })
  // On a busy machine the server may answer before the hub that it starts does.
  if (registered) await waitFor(card, 'the session to be registered')
  return {
    pid,
    sessionId,
    instructions,
    hadCard,
    async tool(name, args = {}, { server = 0 } = {}) {
      const result = await call<{
        isError?: boolean
        content: { text: string }[]
        structuredContent?: Record<string, unknown>
      }>('tool', { name, args, server })
      if (!result.isError) await checkAnswer(() => call('tools'), name, result.structuredContent)
      const text = result.content.map((part) => part.text).join('\n')
      return { ...(result.isError && { isError: true }), text, data: result.structuredContent ?? {} }
    },
    tools: () => call('tools'),
    hook,
    async deliver(event, input) {
      return (await hook(event, input)).map(toContext).join('')
    },
    waiter: (event = 'Stop', env = {}) => call<HookRun[]>('waiter', { event, env }),
    waiterPid: () => Number(readIfThere(fileOf('waiter'))) || undefined,
    mcpPid: (server = 0) => call('mcpPid', { server }),
    async killMcp() {
      const server = await call<number>('mcpPid', { server: 0 })
      kill(server)
      await waitFor(() => isReaped(server), 'the MCP server to be gone')
    },
    async restartMcp() {
      await call('stopMcp', { server: 0 })
      await start({})
    },
    startMcp: async (server, options) => void (await start({ server, ...options })),
    stopMcp: (server = 0) => call('stopMcp', { server }),
    breakStdout: () => call('breakStdout', { server: 0 }),
    card,
    claude,
    hasMailFlag,
    mailWaits: async () => void (await waitFor(hasMailFlag, 'the mail flag')),
    mailTaken: async () => void (await waitFor(() => !hasMailFlag(), 'the mail flag to be lowered')),
    async kill(signal) {
      child.kill(signal)
      await exited
    },
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect()
      await exited
      // A server that has not noticed yet would start the hub again that the test stops next.
      if (container.length === 0) await waitFor(() => !servers.some(isAlive), 'the MCP servers to end')
    },
  }
}

/** Nothing is left of the process, not even its number. */
function isReaped(pid: number): boolean {
  try {
    return !process.kill(pid, 0)
  } catch {
    return true
  }
}
