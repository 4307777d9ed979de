/** Before the first crash test: a seed that is printed, the compiled shim. After the last: the summary, and on demand the document. */
import { randomInt } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { toSeed } from '../harness/seed.ts'
import { summarize, writeGuarantees } from './report.ts'
import { buildShim } from './shim.ts'

/** What every test file of a run shares. */
export type CrashRun = { seed: number; shim: string; directory: string }

declare module 'vitest' {
  interface ProvidedContext {
    crash: CrashRun
  }
}

export default function setup(project: TestProject): () => void {
  const directory = mkdtempSync(join(tmpdir(), 'claude-peers-crash-'))
  const seed = toSeed('CLAUDE_PEERS_CRASH_SEED') ?? randomInt(1, 1_000_000)
  process.stdout.write(`crash tests, seed ${seed} (repeat with CLAUDE_PEERS_CRASH_SEED=${seed})\n`)
  const crash = { seed, shim: buildShim(directory), directory }
  project.provide('crash', crash)
  return () => {
    process.stdout.write(summarize(crash))
    if (process.env['CLAUDE_PEERS_CRASH_WRITE']) writeGuarantees(crash)
    rmSync(directory, { recursive: true, force: true })
  }
}
