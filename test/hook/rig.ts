import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readCard, setMailFlag, writeCard, type Card } from '../../lib/machine/cards.ts'
import { bundlePath } from '../../lib/machine/package.ts'
import { ownIdentity, toLabel } from '../../lib/machine/processes.ts'
import { openHub, takeSeat, type Seat, type TestHub } from '../harness/hub.ts'
import { toContext, type HookRun } from '../harness/session.ts'

/** A hook that waits for something takes this long at least. */
export const WAIT_MS = 1_400
/** And at most this long, with what a busy machine needs to start and end a process. */
export const DEADLINE_MS = 5_000

export type Run = HookRun & { ms: number; context: string }

export type HookOptions = {
  input?: Record<string, unknown>
  /** What stands on standard input instead of the event. */
  stdin?: string
  /** Leaves standard input open. */
  open?: boolean
  /** What standard input waits for. */
  until?: Promise<unknown>
  pid?: number | string
  env?: NodeJS.ProcessEnv
  nodeArgs?: string[]
}

/** A hub inside the test, a sender, and a session whose Claude process is the test itself: its hooks are real. */
export type Rig = AsyncDisposable & {
  hub: TestHub
  home: string
  sessions: string
  sessionId: string
  sender: Seat
  receiver: Seat
  /** The hub's clock, in ms. */
  time: { now: number }
  send(message: string, options?: { urgency?: 'fyi' }): Promise<number>
  stateOf(messageId: number): Promise<string>
  hook(event: string, options?: HookOptions): Promise<Run>
  card(): Card
  changeCard(changes: Partial<Card>): void
  flag: { raise(): void; isUp(): boolean }
}

export async function createRig(): Promise<Rig> {
  const time = { now: Date.now() }
  const hub = await openHub({ now: () => time.now })
  const { home, sessions } = hub.config.paths
  const sessionId = randomUUID()
  const claude = ownIdentity()
  const sender = await takeSeat(hub, 'web')
  const receiver = await takeSeat(hub, 'api', { process: claude, sessionId })
  const { id: peerId, name, key } = receiver
  const toolPrefix = 'mcp__claude-peers__'
  const { url: hubUrl, token } = hub
  writeCard(sessions, {
    hubUrl,
    token,
    peerId,
    name,
    key,
    toolPrefix,
    claude,
    mcp: claude,
    sessionIds: [sessionId],
  })
  const card = () => readCard(sessions, process.pid)!
  return {
    hub,
    home,
    sessions,
    sessionId,
    sender,
    receiver,
    time,
    async send(message, options = {}) {
      const input = { to: name, message, idempotencyKey: randomUUID(), ...options }
      return (await sender.client.messages.send.mutate(input)).messageId
    },
    async stateOf(messageId) {
      return (await sender.client.messages.status.query({ messageId })).recipients[0]!.state
    },
    hook: (event, options = {}) => {
      const input: Record<string, unknown> = {
        session_id: sessionId,
        hook_event_name: event,
        ...options.input,
      }
      // The client names the session of the input in the environment as well.
      const CLAUDE_CODE_SESSION_ID = String(input['session_id'])
      const env = { HOME: home, CLAUDE_CODE_SESSION_ID, ...options.env }
      return runHook({ stdin: JSON.stringify(input), ...options, env })
    },
    card,
    changeCard: (changes) => writeCard(sessions, { ...card(), ...changes }),
    flag: {
      raise: () => setMailFlag(sessions, process.pid, 'wake'),
      isUp: () => existsSync(join(sessions, `${toLabel(process.pid)}.mail`)),
    },
    [Symbol.asyncDispose]: () => hub[Symbol.asyncDispose](),
  }
}

/** Runs the hook's bundle as the client's shell would, and tells what it printed and how long it took. */
export function runHook({
  stdin = '',
  open = false,
  until = Promise.resolve(),
  pid = process.pid,
  env = {},
  nodeArgs = [],
}: HookOptions): Promise<Run> {
  const before = performance.now()
  const child = spawn(process.execPath, [...nodeArgs, bundlePath('hook.cjs'), String(pid)], {
    env,
    stdio: 'pipe',
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  child.stdin.on('error', () => undefined)
  void until.then(() => (open ? child.stdin.write(stdin) : child.stdin.end(stdin)))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      const run = { code, stdout, stderr, ms: performance.now() - before }
      resolve({ ...run, context: toContext(run) })
    })
  })
}
