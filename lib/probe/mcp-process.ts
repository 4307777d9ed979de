import { spawn } from 'node:child_process'
import { once } from 'node:events'

type Answer = { id?: number; result?: Record<string, unknown>; error?: { message: string } }

/** One MCP server as a client of the protocol sees it: JSON-RPC in lines, nothing else. The SDK's client loads slowly. */
export type McpProcess = {
  pid: number
  version: string
  instructions: string
  request(method: string, params?: object): Promise<Record<string, unknown>>
  /** Closes its input, as a client that ends does, and waits for its end. */
  close(): Promise<void>
  /** Closes the reading end of its output. */
  breakOutput(): void
}

/** How long a server may take to answer `initialize`, as the client has it when nobody sets another time. */
const START_TIMEOUT_MS = 30_000

/** Starts a server as a child of this process, and resolves when it has answered `initialize`; one that does not is killed. */
export async function startMcp(
  command: string,
  args: string[],
  { env, client = 'claude-code' }: { env: NodeJS.ProcessEnv; client?: string },
): Promise<McpProcess> {
  const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const impatience = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS)
  const waiting = new Map<number, (answer: Answer) => void>()
  let last = 0
  child.stdin.on('error', () => undefined)
  let unread = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (unread + text).split('\n')
    // The rest of a server that was killed is no line.
    unread = lines.pop()!
    for (const line of lines) {
      const answer = JSON.parse(line) as Answer
      if (answer.id !== undefined) waiting.get(answer.id)?.(answer)
    }
  })
  const write = (message: object) =>
    void child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)

  async function request(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = ++last
    const answered = new Promise<Answer>((resolve) => waiting.set(id, resolve))
    write({ id, method, params })
    const ended = exited.then(([code, signal]): Answer => {
      throw new Error(`the MCP server ended with ${code ?? signal} during ${method}`)
    })
    const { result, error } = await Promise.race([answered, ended])
    if (error) throw new Error(error.message)
    return result!
  }

  const { instructions, serverInfo } = await request('initialize', {
    protocolVersion: '2025-06-18',
    capabilities: {},
    clientInfo: { name: client, version: '1.0.0' },
  }).finally(() => clearTimeout(impatience))
  write({ method: 'notifications/initialized' })
  return {
    pid: child.pid!,
    version: (serverInfo as { version: string }).version,
    instructions: instructions as string,
    request,
    async close() {
      child.stdin.end()
      await exited
    },
    breakOutput: () => void child.stdout.destroy(),
  }
}
