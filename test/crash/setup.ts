/** Before the first crash test: a seed that is printed, the compiled shim. After the last: the summary, and on demand the document. */
import { randomInt } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
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
  const seed = toSeed(process.env['CLAUDE_PEERS_CRASH_SEED'])
  process.stdout.write(`crash tests, seed ${seed} (repeat with CLAUDE_PEERS_CRASH_SEED=${seed})\n`)
  const crash = { seed, shim: buildShim(directory), directory }
  project.provide('crash', crash)
  return () => {
    process.stdout.write(summarize(crash))
    if (process.env['CLAUDE_PEERS_CRASH_WRITE']) writeGuarantees(crash)
    rmSync(directory, { recursive: true, force: true })
  }
}

function toSeed(text: string | undefined): number {
  if (!text) return randomInt(1, 1_000_000)
  const seed = Number(text)
  if (!Number.isInteger(seed) || seed < 1) {
    throw new Error(`CLAUDE_PEERS_CRASH_SEED is a whole number above 0, not ${text}`)
  }
  return seed
}
