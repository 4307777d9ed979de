/** What a session pays for its hooks: the gate with an empty mailbox, and one delivery. */
import { spawn } from 'node:child_process'
import { writeCard } from '../lib/machine/cards.ts'
import { readProcess } from '../lib/machine/processes.ts'
import { PACKAGE_ROOT } from '../lib/machine/package.ts'
import { hookCommands } from '../apps/cli/install/hooks.ts'
import { interleave, timed } from './measure.ts'
import { startBenchHub } from './hub-process.ts'
import { toRow, type Row } from './table.ts'

const ROUNDS = 25

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
  const env = { HOME: hub.home, PATH: process.env['PATH']! }
  const input = (event: string) => JSON.stringify({ session_id: 'bench', hook_event_name: event })
  const hooks = hookCommands({ node: process.execPath, root: PACKAGE_ROOT })
  const toCommand = (event: string) =>
    hooks[event]![0]!.hooks[0]!.command.replaceAll('$PPID', String(process.pid))

  let port = 4_000
  const samples = await interleave(
    {
      node: () => run(`exec '${process.execPath}' -e 0`, { env, input: '' }),
      shell: () => run(':', { env, input: '' }),
      gate: () => run(toCommand('PostToolUse'), { env, input: input('PostToolUse') }),
      empty: () => run(toCommand('UserPromptSubmit'), { env, input: input('UserPromptSubmit') }),
      message: async () => {
        await sender.send(receiver.id, `The dev server listens on port ${++port}.`)
        return run(toCommand('UserPromptSubmit'), {
          env,
          input: input('UserPromptSubmit'),
          expect: `port ${port}.`,
          times: 1,
        })
      },
      nodeOnce: () => run(`exec '${process.execPath}' -e 0`, { env, input: '', times: 1 }),
    },
    ROUNDS,
  )
  const { node, shell, nodeOnce } = samples
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
      baseline: nodeOnce,
      target: { most: 1.5 },
    }),
  ]
}

type RunOptions = { env: Record<string, string>; input: string; expect?: string }

/**
 * The wall time of one run, in ms, the mean of several in a row that a small shell starts: this large process would add
 * its own cost of starting a child to each. The input comes through a pipe, as from the client (which uses a socket: seen
 * on 2.1.197 and 2.1.330). A wrong end or output ends the benchmark.
 */
async function run(
  command: string,
  { env, input, expect, times = 10 }: RunOptions & { times?: number },
): Promise<number> {
  const once = 'printf %s "$INPUT" | sh -c "$COMMAND" || exit 1'
  const loop = `i=0; while [ $i -lt ${times} ]; do ${once}; i=$((i + 1)); done`
  let output = ''
  const took = await timed(
    () =>
      new Promise<void>((resolve, reject) => {
        const child = spawn('/bin/sh', ['-c', loop], {
          env: { ...env, COMMAND: command, INPUT: input },
          stdio: ['ignore', 'pipe', 'ignore'],
        })
        child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
        child.on('error', reject)
        child.on('close', (code) =>
          code === 0 ? resolve() : reject(new Error(`${command} ended with ${code}`)),
        )
      }),
  )
  const found = expect === undefined ? times : output.split(expect).length - 1
  if (found !== times) throw new Error(`${command}: ${found} of ${times} runs printed "${expect}"`)
  return took / times
}
