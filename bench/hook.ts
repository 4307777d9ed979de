/** What a session pays for its hooks: the gate with an empty mailbox, and one delivery. */
import { spawn } from 'node:child_process'
import { writeCard } from '../lib/machine/cards.ts'
import { readProcess } from '../lib/machine/processes.ts'
import { bundlePath, PACKAGE_ROOT } from '../lib/machine/package.ts'
import { hookCommands } from '../apps/cli/install/hooks.ts'
import { interleave, timed } from './measure.ts'
import { startBenchHub } from './hub-process.ts'
import { toRow, type Row } from './table.ts'

const ROUNDS = 40

export async function benchHook(): Promise<Row[]> {
  await using hub = await startBenchHub()
  const sender = await hub.join('/bench/sender')
  const receiver = await hub.join('/bench/receiver')
  writeCard(hub.sessions, {
    hubUrl: hub.url,
    token: hub.token,
    peerId: receiver.id,
    name: 'receiver',
    key: receiver.key,
    toolPrefix: 'mcp__claude-peers__',
    claude: { pid: process.pid, start: readProcess(process.pid)?.start },
    mcp: { pid: process.pid, start: undefined },
    sessionIds: [],
  })
  const env = { HOME: hub.home, PATH: process.env['PATH']!, CLAUDE_PID: String(process.pid) }
  const input = (event: string) => JSON.stringify({ session_id: 'bench', hook_event_name: event })
  const gate = hookCommands({ node: process.execPath, root: PACKAGE_ROOT })['PostToolUse']![0]!.hooks[0]!
    .command
  const hook = [bundlePath('hook.cjs'), String(process.pid)]

  const samples = await interleave(
    {
      node: () => run(process.execPath, ['-e', '0'], { env, input: '' }),
      shell: () => run('/bin/sh', ['-c', ':'], { env, input: '' }),
      gate: () => run('/bin/sh', ['-c', gate], { env, input: input('PostToolUse') }),
      empty: () => run(process.execPath, hook, { env, input: input('UserPromptSubmit') }),
      message: async () => {
        await sender.send(receiver.id, 'The dev server listens on port 4000.')
        return run(process.execPath, hook, { env, input: input('UserPromptSubmit'), expect: 'port 4000' })
      },
    },
    ROUNDS,
  )
  const { node, shell } = samples
  return [
    toRow({
      measure: 'gate, no mail, against `node -e 0`',
      subject: samples.gate,
      baseline: node,
      target: { most: 0.1 },
    }),
    toRow({ measure: 'gate, no mail, against `sh -c :`', subject: samples.gate, baseline: shell }),
    toRow({ measure: 'hook, empty mailbox, against `node -e 0`', subject: samples.empty, baseline: node }),
    toRow({
      measure: 'hook, one message, against `node -e 0`',
      subject: samples.message,
      baseline: node,
      target: { most: 1.5 },
    }),
  ]
}

type RunOptions = { env: Record<string, string>; input: string; expect?: string }

/** The wall time of one process; a wrong end or output ends the benchmark. */
function run(command: string, args: string[], { env, input, expect }: RunOptions): Promise<number> {
  return timed(
    () =>
      new Promise<void>((resolve, reject) => {
        const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'ignore'] })
        let output = ''
        child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
        child.stdin.on('error', () => undefined)
        child.stdin.end(input)
        child.on('error', reject)
        child.on('close', (code) => {
          const right = code === 0 && (expect === undefined || output.includes(expect))
          if (right) resolve()
          else reject(new Error(`${command} ended with ${code} and printed ${JSON.stringify(output)}`))
        })
      }),
  )
}
