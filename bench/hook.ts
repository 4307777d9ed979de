/** What a session pays for its hooks: the gate with an empty mailbox, one delivery, and a hub that does not answer. */
import { readdirSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { hookCommands } from '../apps/cli/install/hooks.ts'
import { writeCard, type Card } from '../lib/machine/cards.ts'
import { bundlePath, PACKAGE_ROOT } from '../lib/machine/package.ts'
import { ownIdentity, readIdentity } from '../lib/machine/processes.ts'
import { peakOfCommand, runCommand, type Cost } from './command.ts'
import { startBenchHub, type BenchHub } from './hub-process.ts'
import { interleave } from './measure.ts'
import { amount } from './options.ts'
import { toBoundRow, toRow, type Row } from './table.ts'

const ROUNDS = amount(25, 2)
const HANGS = amount(10, 1)
const COMMANDS = hookCommands({ node: process.execPath, root: PACKAGE_ROOT })
const NODE = `exec '${process.execPath}' -e 0`
/** The client kills no hook before this; it is the project's promise. */
const HOOK_DEADLINE_MS = 1_500
/** The size that the hook's bundle may have, in KB. */
const BUNDLE_KB = 40

export async function benchHook(): Promise<Row[]> {
  await using hub = await startBenchHub()
  const sender = await hub.join('/bench/sender')
  const receiver = await hub.join('/bench/receiver')
  const showCard = (place: Pick<Card, 'hubUrl' | 'hub'>) =>
    writeCard(hub.sessions, {
      ...place,
      token: hub.token,
      peerId: receiver.id,
      name: 'receiver',
      key: receiver.key,
      toolPrefix: 'mcp__claude-peers__',
      claude: ownIdentity(),
      mcp: { ...ownIdentity(), start: undefined },
      sessionIds: [],
    })
  const env = { HOME: hub.home, PATH: process.env['PATH']!, CLAUDE_CODE_SESSION_ID: SESSION_ID }
  let port = 4_000
  const withMail = async () => {
    await sender.send(receiver.id, `The dev server listens on port ${++port}.`)
    return { ...prompt(env), expect: `port ${port}.\\n`, times: 1 }
  }
  const here = { hubUrl: hub.url, hub: readIdentity(hub.pid) }
  const ended = { hubUrl: await unusedUrl(), hub: { ...readIdentity(hub.pid), start: 'another' } }
  const samples = await interleave(
    {
      node: () => runCommand(NODE, { env }),
      shell: () => runCommand(':', { env }),
      gate: () => (showCard(here), runCommand(toCommand('PostToolUse'), toolUse(env))),
      empty: () => runCommand(toCommand('UserPromptSubmit'), prompt(env)),
      message: async () => runCommand(toCommand('UserPromptSubmit'), await withMail()),
      nodeOnce: () => runCommand(NODE, { env, times: 1 }),
      messagePeak: async () => peakOfCommand(toCommand('UserPromptSubmit'), await withMail()),
      nodePeak: () => peakOfCommand(NODE, { env }),
      down: () => (showCard(ended), runCommand(toCommand('UserPromptSubmit'), prompt(env))),
    },
    ROUNDS,
  )
  showCard(here)
  const hanging = await runWhileItHangs(hub, () =>
    runCommand(toCommand('UserPromptSubmit'), { ...prompt(env), times: 1 }),
  )
  return [...toRows(samples), toSlowest([...samples.down, ...hanging]), sizeOfBundle()]
}

type Samples = Record<'node' | 'shell' | 'gate' | 'empty' | 'message' | 'nodeOnce' | 'down', Cost[]> &
  Record<'messagePeak' | 'nodePeak', number[]>

function toRows(samples: Samples): Row[] {
  const wall = (costs: Cost[]) => costs.map((cost) => cost.wall)
  const cpu = (costs: Cost[]) => costs.map((cost) => cost.cpu)
  const { node, shell, gate, empty, message, nodeOnce, messagePeak, nodePeak, down } = samples
  const noMail = 'tool call, no mail, whole hook command'
  return [
    toRow({
      measure: `${noMail}: wall, against \`node -e 0\``,
      subject: wall(gate),
      baseline: wall(node),
      target: { most: 0.06 },
    }),
    toRow({
      measure: `${noMail}: CPU, against \`node -e 0\``,
      subject: cpu(gate),
      baseline: cpu(node),
      target: { most: 0.06 },
    }),
    toRow({
      measure: `${noMail}: wall, against \`sh -c :\``,
      subject: wall(gate),
      baseline: wall(shell),
      target: { most: 1.5 },
    }),
    toRow({
      measure: `${noMail}: CPU, against \`sh -c :\``,
      subject: cpu(gate),
      baseline: cpu(shell),
      target: { most: 1.5 },
    }),
    toRow({
      measure: 'hook, empty mailbox, against `node -e 0`',
      subject: wall(empty),
      baseline: wall(node),
    }),
    toRow({
      measure: 'hook, one message: wall, against `node -e 0`',
      subject: wall(message),
      baseline: wall(nodeOnce),
      target: { most: 1.3 },
    }),
    toRow({
      measure: 'hook, one message: peak RSS, against `node -e 0`',
      subject: messagePeak,
      baseline: nodePeak,
      target: { most: 1.1 },
      unit: 'MB',
    }),
    toRow({
      measure: 'hook, hub down: wall, against `node -e 0`',
      subject: wall(down),
      baseline: wall(node),
      target: { most: 1.3 },
    }),
  ]
}

const toSlowest = (costs: Cost[]): Row =>
  toBoundRow({
    measure: 'hook, hub down or hanging: the slowest of all',
    samples: costs.map((cost) => cost.wall),
    share: 1,
    most: HOOK_DEADLINE_MS,
    unit: 'ms',
  })

/** What loads it, and its program. */
function sizeOfBundle(): Row {
  const directory = dirname(bundlePath('hook.cjs'))
  const programs = readdirSync(directory).filter((name) => /^hook.*\.cjs$/.test(name))
  return toBoundRow({
    measure: "the hook's bundle",
    samples: [programs.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0) / 1_000],
    most: BUNDLE_KB,
    unit: 'KB',
  })
}

/** The costs while the hub's process stands still: its port is open, and nobody answers there. */
async function runWhileItHangs(hub: BenchHub, run: () => Promise<Cost>): Promise<Cost[]> {
  const costs: Cost[] = []
  hub.signal('SIGSTOP')
  try {
    for (let number = 0; number < HANGS; number++) costs.push(await run())
  } finally {
    hub.signal('SIGCONT')
  }
  return costs
}

/** The command of an event's first hook, of a session whose client is this process. */
const toCommand = (event: string) =>
  COMMANDS[event]![0]!.hooks[0]!.command.replaceAll('$PPID', String(process.pid))

const SESSION_ID = 'bench'
const toInput = (event: string) => JSON.stringify({ session_id: SESSION_ID, hook_event_name: event })
const toolUse = (env: Record<string, string>) => ({ env, input: toInput('PostToolUse') })
const prompt = (env: Record<string, string>) => ({ env, input: toInput('UserPromptSubmit') })

/** A URL of this machine where nothing listens. */
async function unusedUrl(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return `http://127.0.0.1:${port}`
}
