/** What a command costs that the client runs for a hook: in time, in processor time, in memory. */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryLine } from './usage.ts'

export type Cost = { wall: number; cpu: number }

export type RunOptions = {
  env: Record<string, string>
  /** Its standard input, through a pipe, as from the client (which uses a socket: seen on 2.1.197 and 2.1.330). */
  input?: string
  /** What each run must print. */
  expect?: string
  /** How many runs in a row the cost is the mean of. */
  times?: number
}

const PEAK = join(import.meta.dirname, 'fixture/peak.cjs')

/**
 * Wall and processor time of one run of a command by `sh -c`, in ms: the mean of several in a row that a small shell
 * starts, because this large process would add its own cost of starting a child to each. A wrong end or output ends the
 * benchmark.
 */
export async function runCommand(command: string, options: RunOptions): Promise<Cost> {
  const { env, input = '', expect, times = 10 } = options
  const once = 'printf %s "$INPUT" | sh -c "$COMMAND" || exit 1'
  const loop = `i=0; while [ $i -lt ${times} ]; do ${once}; i=$((i + 1)); done`
  // The time of the loop and of all that it starts, to the millisecond; only bash tells it so.
  const measured = `TIMEFORMAT='%R %U %S'; time sh -c "$LOOP"`
  const child = spawn('bash', ['-c', measured], {
    env: { ...env, COMMAND: command, INPUT: input, LOOP: loop },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${errors}`)
  const found = expect === undefined ? times : output.split(expect).length - 1
  if (found !== times) throw new Error(`${command}: ${found} of ${times} runs printed "${expect}"`)
  const [real, user, system] = errors.trim().split('\n').at(-1)!.split(' ').map(Number)
  return { wall: (real! * 1_000) / times, cpu: ((user! + system!) * 1_000) / times }
}

/** The most memory, in MB, that the one Node ever held that a command runs. */
export async function peakOfCommand(command: string, options: RunOptions): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'claude-peers-bench-'))
  const file = join(directory, 'status')
  try {
    const env = { ...options.env, NODE_OPTIONS: `--require=${PEAK}`, BENCH_PEAK_FILE: file }
    await runCommand(command, { ...options, env, times: 1 })
    return memoryLine(await readFile(file, 'utf8'), 'VmHWM')
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
