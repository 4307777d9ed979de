/**
 * The last metre on the user's own installation: a session of its own, with the MCP server and the hook that the
 * user's client has registered, is sent a message by the person, and says whether it came through.
 */
import { readPeers } from '../../every-peer.ts'
import { randomUUID } from 'node:crypto'
import { appendFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import type { HubClient } from '#client/connect'
import { newKey } from '#client/key'
import { findHub } from '#machine/hub-process'
import { toContext, type HookRun } from '#probe/hook-process'
import type { Started } from '../../commands/probe-session.ts'
import { withUser } from '../../session.ts'
import { until } from '../../until.ts'
import { INSTALL, ok, toFix, unknown, type Line } from '../line.ts'
import type { Scene } from '../scene.ts'
import { cleanUp } from './clean-up.ts'
import { toServerCommand, toToolHooks } from './registered.ts'
import { openProbeSession, type ProbeSession } from './session.ts'

/** How long a step may take, in ms. */
const PATIENCE = { server: 15_000, card: 2_000, flag: 10_000, hook: 15_000, receipt: 5_000, read: 15_000 }
const TOOLS = ['list_peers', 'send_message', 'check_messages']
const about = 'probe'

type Tell = (line: Line) => void
type Hub = HubClient['hub']

/** A step failed: the line says what is wrong. */
class StepError extends Error {
  readonly line: Line
  constructor(says: string, run?: string) {
    super(says)
    this.line = toFix(about, says, run)
  }
}

/** Runs the probe and tells each step as it is done. Whatever happens, nothing of it is left. */
export async function runProbe(scene: Scene, tell: Tell): Promise<void> {
  const config = scene.config.value
  if (process.platform === 'win32')
    return tell(unknown(about, 'hooks need a POSIX shell: there is none here'))
  if (!config) return tell(unknown(about, 'not sent: the settings cannot be used'))
  const { promise: interrupted, reject } = Promise.withResolvers<never>()
  const interrupt = () => reject(new StepError('interrupted.'))
  for (const signal of SIGNALS) process.once(signal, interrupt)
  const hadHub = (await findHub(config)) !== undefined
  const session = await openProbeSession(scene)
  try {
    await Promise.race([sendThrough(scene, session, tell), interrupted])
  } catch (cause) {
    tell(cause instanceof StepError ? cause.line : toFix(about, (cause as Error).message))
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt)
    tell(await cleanUp({ config, session, hadHub }))
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

async function sendThrough(scene: Scene, session: ProbeSession, tell: Tell) {
  tell(await startServer(scene, session))
  tell(await awaitSeat(session))
  await withUser(
    async (hub) => {
      const text = `claude-peers doctor: a probe, ${randomUUID()}`
      const messageId = await send(hub, session, text)
      tell(ok(about, `message ${messageId} was sent to it`))
      if (!(await until(session.hasMail, PATIENCE.flag)))
        throw new StepError(`its MCP server did not announce message ${messageId}: see ${scene.paths.log}.`)
      tell(ok(about, 'its MCP server announced the message to the gate'))
      const { context, ms } = await runHooks(scene, session, { text, messageId })
      tell(ok(about, `the registered hook printed it for the model, in ${ms} ms`))
      await awaitReceipt(hub, messageId, ['delivered', 'read'])
      tell(ok(about, 'the hook acknowledged it: delivered'))
      await writeTranscript(session, context)
      await awaitReceipt(hub, messageId, ['read'])
      tell(ok(about, 'the MCP server found an answer to it in the transcript: read'))
    },
    { start: true },
  )
}

async function startServer(scene: Scene, session: ProbeSession): Promise<Line> {
  const command = toServerCommand(scene)
  if (!command) throw new StepError('no MCP server is registered to start.', INSTALL)
  const starting = session.call<Started>('start', command)
  const started = await answerOf(starting, 'initialize and tools/list').catch((cause: Error) => {
    if (cause instanceof StepError) throw cause
    const complaint = session.complaint()
    throw new StepError(
      `the registered MCP server does not start (${cause.message}${complaint && `: ${complaint}`}).`,
      INSTALL,
    )
  })
  const missing = TOOLS.filter((tool) => !started.tools.includes(tool))
  if (missing.length > 0) {
    throw new StepError(`the registered MCP server has no ${missing.join(', ')}: it is another one.`, INSTALL)
  }
  return ok(about, `the registered MCP server answers: ${started.version}, ${started.tools.length} tools`)
}

/** What the MCP server answers, or the failure of a step when it does not within 15 s. */
async function answerOf<T>(answer: Promise<T>, to: string): Promise<T> {
  const isLate = Symbol('late')
  const first = await Promise.race([answer, wait(PATIENCE.server, isLate, { ref: false })])
  if (first !== isLate) return first
  throw new StepError(
    `the registered MCP server hangs: ${PATIENCE.server / 1_000} s without an answer to ${to}.`,
    INSTALL,
  )
}

async function awaitSeat(session: ProbeSession): Promise<Line> {
  // The tool answers when the seat is there, or why there is none: it waits for a hub that starts.
  const listing = session.call<{ content: { text: string }[] }>('tool', { name: 'list_peers' })
  const { content } = await answerOf(listing, 'list_peers')
  const card = await until(session.card, PATIENCE.card)
  if (card) return ok(about, `its session has a seat, ${card.name}, at ${card.hubUrl}`)
  throw new StepError(`its session got no seat: ${content[0]?.text ?? 'its MCP server does not say why'}`)
}

async function send(hub: Hub, session: ProbeSession, message: string): Promise<number> {
  const { peerId, hubUrl } = session.card()!
  const peers = await readPeers(hub)
  if (!peers.some((peer) => peer.id === peerId)) {
    throw new StepError(
      `sessions use the hub at ${hubUrl}, and this command another one: set the same CLAUDE_PEERS_ variables for both.`,
    )
  }
  const sent = await hub.messages.send.mutate({ to: peerId, message, idempotencyKey: newKey() })
  return sent.messageId
}

async function runHooks(
  scene: Scene,
  session: ProbeSession,
  { text, messageId }: { text: string; messageId: number },
): Promise<{ context: string; ms: number }> {
  const hooks = toToolHooks(scene)
  if (hooks.length === 0) throw new StepError('no hook is registered for tool calls.', INSTALL)
  const started = performance.now()
  const input = toInput(session)
  const runs = await Promise.all(
    hooks.map(({ command, timeoutMs: given }) => {
      const timeoutMs = Math.min(given, PATIENCE.hook)
      return session.call<HookRun>('hook', { command, timeoutMs, input }).then((run) => {
        if (run.code !== null) return run
        const seconds = Math.round(timeoutMs / 100) / 10
        throw new StepError(`the registered hook hangs: it ran for ${seconds} s and was killed.`, INSTALL)
      })
    }),
  )
  const ms = Math.round(performance.now() - started)
  const contexts = runs.map(readContext).filter((context) => context.includes(text))
  if (contexts.length > 1) throw new StepError('two hooks printed the same message.', INSTALL)
  const [context] = contexts
  if (context === undefined || !context.includes(String(messageId))) {
    const said = runs.map(({ code, stderr }) => [`exit ${code}`, stderr.trim()].filter(Boolean).join(': '))
    throw new StepError(`the registered hook printed no mail (${said.join('; ')}).`, INSTALL)
  }
  return { context, ms }
}

/** Output that is no JSON shows the model nothing. */
function readContext(run: HookRun): string {
  try {
    return toContext(run)
  } catch {
    return ''
  }
}

/** What the client tells its hooks after a tool call. */
function toInput({ sessionId, transcript, directory }: ProbeSession) {
  return {
    session_id: sessionId,
    transcript_path: transcript,
    cwd: directory,
    permission_mode: 'default',
    hook_event_name: 'PostToolUse',
    tool_name: 'Bash',
    tool_input: { command: 'true' },
    tool_response: { stdout: '', stderr: '', interrupted: false },
    tool_use_id: 'toolu_probe',
  }
}

async function awaitReceipt(hub: Hub, messageId: number, wanted: string[]) {
  let state: string | undefined
  const isReached = async () => {
    state = (await hub.messages.status.query({ messageId })).recipients[0]?.state
    return state !== undefined && wanted.includes(state)
  }
  const patience = wanted.includes('delivered') ? PATIENCE.receipt : PATIENCE.read
  if (await until(isReached, patience)) return
  throw new StepError(
    `message ${messageId} should be ${wanted[0]} by now, and is ${state}: see ~/.claude-peers/hub.log.`,
  )
}

/** Writes what the client does when it has shown the output of a hook to its model, and the model has answered. */
async function writeTranscript({ transcript, sessionId, directory }: ProbeSession, context: string) {
  const common = { sessionId, cwd: directory, timestamp: new Date().toISOString() }
  const shown = {
    ...common,
    type: 'attachment',
    uuid: randomUUID(),
    attachment: {
      type: 'hook_additional_context',
      hookName: 'PostToolUse:Bash',
      hookEvent: 'PostToolUse',
      content: [context],
    },
  }
  const answer = {
    ...common,
    type: 'assistant',
    uuid: randomUUID(),
    parentUuid: shown.uuid,
    message: { id: `msg_${randomUUID()}`, role: 'assistant', content: [{ type: 'text', text: 'seen' }] },
  }
  await appendFile(transcript, `${JSON.stringify(shown)}\n${JSON.stringify(answer)}\n`)
}
